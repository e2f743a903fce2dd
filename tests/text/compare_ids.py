# SPDX-License-Identifier: Apache-2.0
"""Compares ids, type ids, truncation, counts and decoded texts with those of the Python package `tokenizers`.

usage: compare_ids.py ENCODE_LINES VOCAB_TXT

The corpus is made here: many scripts, emoji, NFC and NFD, control characters, special tokens, seeded random mixtures,
every code point, and texts of 100 000 characters. The tokenizers are the BERT vocabulary, read as vocab.txt (uncased
and cased) and as tokenizer.json, and small ones of other kinds that are trained here.
"""

import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unicodedata

SKIPPED = 77

try:
    import tokenizers
    from tokenizers import (
        Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers)
except ImportError:
    print("the Python package tokenizers is not installed: tools/deps test")
    sys.exit(SKIPPED)

SENTENCES = [
    "The quick brown fox jumps over the lazy dog; it's 3.14 times (at least) quicker!",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. STRAẞE, Maße",
    "Portez ce vieux whisky au juge blond qui fume — déjà vu, œuvre, naïveté, ŒUF",
    "Pchnąć w tę łódź jeża lub ośm skrzyń fig. Příliš žluťoučký kůň úpěl ďábelské ódy",
    "Съешь же ещё этих мягких французских булок, да выпей чаю. Їжак, ґанок",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. ΣΊΣΥΦΟΣ σίσυφος ΐ",
    "İstanbul'da IŞIK ığdır; pijamalı hasta yağız şoföre çabucak güvendi",
    "שָׁלוֹם עולם, דג סקרן שט בים מאוכזב", "نص حكيم له سرّ قاطع وذو شأن عظيم ١٢٣",
    "ऋषियों को सताने वाले दुष्ट राक्षसों क्षत्रिय १२३", "সকল মানুষ স্বাধীনভাবে", "தமிழ் மொழி யாதும் ஊரே",
    "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า", "ກຂຄງຈສຊຍດຕ", "བོད་ཡིག", "မြန်မာဘာသာ", "ភាសាខ្មែរ",
    "天地玄黃，宇宙洪荒。日月盈昃，辰宿列張。 龥豈更𠀀𪜀", "いろはにほへと ちりぬるを カタカナ ｶﾀｶﾅ がぎぐ",
    "다람쥐 헌 쳇바퀴에 타고파 각낡", "ꦲꦏ꧀ꦱꦫꦗꦮ ᬅᬓ᭄ᬱᬭᬩᬮᬶ ᮃᮊ᮪ᮞᮛ", "አማርኛ ሰላም", "ᏣᎳᎩ ᐃᓄᒃᑎᑐᑦ",
    "🙂😂🤣❤️👍🏽 👨‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷 1️⃣ ©®™", "ﬁ ﬂ ﬃ ½ Ⅷ ① Å ℃ ㎏ ﷺ ｆｕｌｌｗｉｄｔｈ",
    "e\u0301\u0323 o\u0308\u0304 \u1e69 s\u0323\u0307 s\u0307\u0323 a\u302e\u0323 \u0301x", "𝕳𝖊𝖑𝖑𝖔 𝓦𝓸𝓻𝓵𝓭 𐍈 𞤀𞤣",
    "tab\tnew\nline\r\nvertical\vform\fnbsp\u00a0em\u2003ideographic\u3000zwsp\u200bzwj\u200dshy\u00adbom\ufeff",
    "nul\0 bell\a esc\x1b del\x7f c1\x80\x85\x9f \ufffd private\ue000 \U000f0000 unassigned\u0378 \uffff",
    "[CLS] hello [SEP] [MASK] [PAD] [UNK] [mask] [ MASK ] [[SEP]] x[SEP]y <end> <s></s>",
    "https://example.org/a_b?c=d&e=%20#f user@example.com C++ #hashtag $9.99 50% ~/x \\n `code`",
    "don't DON'T I'll we've it’s 'S 'ſ", "   leading, trailing   and   inner   spaces   ", "\n\n \n\n", "a", "!", "",
    " ", "##ing ## #", "x" * 99, "x" * 100, "x" * 101, "é" * 100, "é" * 101, "supercalifragilisticexpialidocious" * 3,
    "'" * 70, "1234567890" * 12, "word " * 600,
]


def corpus():
    rng = random.Random(7)
    texts = list(SENTENCES)
    texts += [unicodedata.normalize(form, text) for text in SENTENCES for form in ("NFC", "NFD", "NFKC")]
    texts += [text.upper() for text in SENTENCES]
    marks = [chr(c) for c in range(0x110000) if unicodedata.combining(chr(c))]
    letters = "".join(SENTENCES)
    for _ in range(400):
        pools = [letters, " \t", marks, "aeinABC東", [chr(rng.randrange(0x20, 0x3000)) for _ in range(8)]]
        texts.append("".join(rng.choice(rng.choice(pools)) for _ in range(rng.randrange(1, 60))))
    texts += [rng.choice(letters) * 100_000, "".join(rng.choices(letters, k=100_000)), " " * 100_000]
    return texts


def every_code_point():
    """In pages of 256; of pages without a character of their own (private, unassigned) one in sixteen."""
    for page in range(0, 0x110000, 256):
        chars = [chr(c) for c in range(page, page + 256) if not 0xD800 <= c < 0xE000]
        bare = all(unicodedata.category(c) in ("Cn", "Co") for c in chars)
        if chars and (not bare or page % 4096 == 0):
            yield " ".join(f"a{c}b {c}{c}1{c}" for c in chars)


def requests(texts):
    ways = ((0, True), (0, False), (2, True), (7, True), (128, True), (5, False))
    for text in texts:
        for length, special in ways if len(text) < 1000 else ((0, True),) if len(text) < 10_000 else ways[3:5]:
            yield {"text": text, "length_max": length, "special": special}
    short = [text for text in texts if len(text) < 1000]
    for first, second in zip(short[::4], short[7::4]):
        for length, special in ((0, True), (0, False), (6, True), (9, True), (64, True), (5, False)):
            yield {"text": first, "second": second, "length_max": length, "special": special}


def expected(tokenizer, request, counts):
    """What the package says; `counts` remembers the whole length of texts, which costs as much as all the rest."""
    tokenizer.no_truncation()
    text = request["text"]
    is_whole = not request["length_max"] and request["special"] and "second" not in request
    if not is_whole and text not in counts:
        counts[text] = len(tokenizer.encode(text).ids)
    if request["length_max"]:
        tokenizer.enable_truncation(request["length_max"])
    encoding = tokenizer.encode(text, request.get("second"), add_special_tokens=request["special"])
    if is_whole:
        counts[text] = len(encoding.ids)
    return {"ids": encoding.ids, "type_ids": encoding.type_ids, "truncated": bool(encoding.overflowing),
            "count": counts[text], "decoded": tokenizer.decode(encoding.ids, skip_special_tokens=True)}


def compare(name, program, file, tokenizer, texts):
    """Prints the first differences; returns their number."""
    asked = list(requests(texts))
    lines = "".join(json.dumps(request) + "\n" for request in asked)
    ran = subprocess.run([program, file], input=lines, capture_output=True, text=True, check=False)
    answers = [json.loads(line) for line in ran.stdout.split("\n") if line]
    if ran.returncode != 0 or len(answers) != len(asked):
        print(f"{name}: {program} ended with {ran.returncode} after {len(answers)} answers: {ran.stderr}")
        return 1
    tokenizer.no_padding()
    counts, wrong = {}, 0
    for request, answer in zip(asked, answers):
        want = expected(tokenizer, request, counts)
        if answer != want:
            wrong += 1
            if wrong <= 3:
                print(f"{name}: {json.dumps(request)[:300]}\n  package {str(want)[:600]}\n  cortex  {str(answer)[:600]}")
    print(f"{name}: {len(asked)} encodings, {wrong} differ")
    return wrong


def trained(model, trainer, parts):
    tokenizer = Tokenizer(model)
    for attribute, part in parts.items():
        setattr(tokenizer, attribute, part)
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    return tokenizer


def byte_level_bpe():
    special = ["<end>", "<s>", "</s>"]
    tokenizer = trained(
        models.BPE(),
        trainers.BpeTrainer(vocab_size=1500, special_tokens=special, show_progress=False,
                            initial_alphabet=pre_tokenizers.ByteLevel.alphabet()),
        {"pre_tokenizer": pre_tokenizers.ByteLevel(add_prefix_space=True), "decoder": decoders.ByteLevel()})
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 1))
    return tokenizer


def split_regex_bpe():
    pattern = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
               r"|\s*[\r\n]+|\s+(?!\S)|\s+")
    split = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer = trained(
        models.BPE(ignore_merges=True),
        trainers.BpeTrainer(vocab_size=1200, special_tokens=["<end>"], show_progress=False,
                            initial_alphabet=pre_tokenizers.ByteLevel.alphabet()),
        {"normalizer": normalizers.NFC(), "pre_tokenizer": split, "decoder": decoders.ByteLevel()})
    tokenizer.post_processor = processors.TemplateProcessing(single="$A:1 <end>:1", special_tokens=[("<end>", 0)])
    return tokenizer


def unigram():
    tokenizer = trained(
        models.Unigram(),
        trainers.UnigramTrainer(vocab_size=900, special_tokens=["<unk>", "</s>"], unk_token="<unk>", show_progress=False),
        {"normalizer": normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]),
         "pre_tokenizer": pre_tokenizers.Metaspace(), "decoder": decoders.Metaspace()})
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return tokenizer


def bert(vocab, lowercase=True):
    return tokenizers.BertWordPieceTokenizer(str(vocab), lowercase=lowercase)


def bert_json(vocab, folder):
    """The BERT tokenizer as a hub model has it: a template, truncation, padding, a mask token that strips."""
    tokenizer = bert(vocab)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 101), ("[SEP]", 102)])
    tokenizer.add_special_tokens([tokenizers.AddedToken("<end>", lstrip=True, rstrip=True, special=True)])
    tokenizer.enable_truncation(128)
    tokenizer.enable_padding(length=128)
    return save(tokenizer, folder, "bert")


def save(tokenizer, folder, name):
    file = folder / f"{name}.json"
    tokenizer.save(str(file))
    return str(file)


def main():
    program, vocab = sys.argv[1], pathlib.Path(sys.argv[2])
    texts, chars = corpus(), list(every_code_point())
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for tokenizer, kind in ((byte_level_bpe(), "byte-level BPE"), (split_regex_bpe(), "BPE with a split regex"),
                                (unigram(), "Unigram")):
            file = save(tokenizer, folder, kind.split()[0])
            wrong += compare(kind, program, file, Tokenizer.from_file(file), texts + chars[::4])
        if not vocab.exists():
            print(f"{vocab} is missing: tools/deps demo")
            return 1 if wrong else SKIPPED
        wrong += compare("BERT vocab.txt", program, str(vocab), bert(vocab), texts + chars)
        file = bert_json(vocab, folder)
        wrong += compare("BERT tokenizer.json", program, file, Tokenizer.from_file(file), texts)
        (folder / "vocab.txt").write_bytes(vocab.read_bytes())
        (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
        wrong += compare("BERT cased", program, str(folder / "vocab.txt"), bert(vocab, lowercase=False), texts + chars)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
