#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns a SentencePiece-style BERT vocabulary (JSON list, stdin) into vocab.txt (stdout).

The list marks the start of a word with U+2581 where WordPiece marks its continuation with "##".
Entry 1 stands for [unused0]; bracketed entries are control tokens. The result is
checked against the digest of the original vocab.txt of bert-base-uncased.
"""

import hashlib
import json
import sys

WORD_START = "\u2581"
ORIGINAL_SHA256 = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"


def convert(index, token):
    if index == 1:
        return "[unused0]"
    if token.startswith(WORD_START):
        return token[len(WORD_START) :]
    if len(token) > 2 and token.startswith("[") and token.endswith("]"):
        return token
    return "##" + token


def main():
    tokens = json.load(sys.stdin)
    text = "".join(convert(i, token) + "\n" for i, token in enumerate(tokens)).encode()
    found = hashlib.sha256(text).hexdigest()
    if found != ORIGINAL_SHA256:
        sys.exit(f"bert_vocab: expected sha256 {ORIGINAL_SHA256}, found {found}")
    sys.stdout.buffer.write(text)


if __name__ == "__main__":
    main()
