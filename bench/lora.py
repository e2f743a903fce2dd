# SPDX-License-Identifier: Apache-2.0
"""Writes adapters (LoRA, GGUF version 3) that fit a GGUF language model: seeded numbers, so that eight differ."""

import array
import random
import struct

UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
ALIGNMENT = 32


class Reader:
    def __init__(self, file):
        self.file = file

    def number(self, form):
        return struct.unpack("<" + form, self.file.read(struct.calcsize("<" + form)))[0]

    def text(self):
        return self.file.read(self.number("Q")).decode("utf-8", "replace")

    def skip_value(self, kind):
        if kind == STRING:
            self.file.seek(self.number("Q"), 1)
        elif kind == ARRAY:
            inner, count = self.number("I"), self.number("Q")
            if inner in SIZES:
                self.file.seek(SIZES[inner] * count, 1)
            else:
                for _ in range(count):
                    self.skip_value(inner)
        else:
            self.file.seek(SIZES[kind], 1)


def read_shapes(path):
    """The architecture of a model, and {tensor: its dimensions}."""
    with open(path, "rb") as file:
        reader = Reader(file)
        if file.read(4) != b"GGUF" or reader.number("I") not in (2, 3):
            raise SystemExit(f"{path} is no GGUF of version 2 or 3")
        tensors, values = reader.number("Q"), reader.number("Q")
        architecture = "llama"
        for _ in range(values):
            name, kind = reader.text(), reader.number("I")
            if name == "general.architecture" and kind == STRING:
                architecture = reader.text()
            else:
                reader.skip_value(kind)
        shapes = {}
        for _ in range(tensors):
            name = reader.text()
            shapes[name] = [reader.number("Q") for _ in range(reader.number("I"))]
            reader.number("I"), reader.number("Q")
        return architecture, shapes


def packed_text(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def write_adapter(model, path, seed=1, rank=8, scale=0.02, targets=("attn_q", "attn_v")):
    """An adapter over the given projections of every layer of `model`."""
    architecture, shapes = read_shapes(model)
    drawn = random.Random(seed)
    noise = array.array("f", (drawn.gauss(0, scale) for _ in range(1 << 16)))
    tensors = []  # name, dimensions, numbers
    for name, shape in sorted(shapes.items()):
        if not name.endswith(".weight") or not any(f".{target}." in name for target in targets):
            continue
        for suffix, dimensions in (("lora_a", (shape[0], rank)), ("lora_b", (rank, shape[1]))):
            count = dimensions[0] * dimensions[1]
            begin = drawn.randrange(len(noise))
            numbers = array.array("f")
            while len(numbers) < count:
                numbers.extend(noise[begin:begin + count - len(numbers)])
                begin = 0
            tensors.append((f"{name}.{suffix}", dimensions, numbers))
    if not tensors:
        raise SystemExit(f"{model} has no tensor that an adapter could change")
    values = [("general.type", STRING, packed_text("adapter")), ("general.architecture", STRING, packed_text(architecture)),
              ("adapter.type", STRING, packed_text("lora")), ("adapter.lora.alpha", FLOAT32, struct.pack("<f", 2.0 * rank))]
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(values))
    for name, kind, data in values:
        head += packed_text(name) + struct.pack("<I", kind) + data
    offset = 0
    for name, dimensions, numbers in tensors:
        head += packed_text(name) + struct.pack("<IQQIQ", 2, *dimensions, 0, offset)
        offset += -(-4 * len(numbers) // ALIGNMENT) * ALIGNMENT
    with open(path, "wb") as file:
        file.write(head + bytes(-len(head) % ALIGNMENT))
        for _, _, numbers in tensors:
            data = numbers.tobytes()
            file.write(data + bytes(-len(data) % ALIGNMENT))
