# SPDX-License-Identifier: Apache-2.0
"""Writes LoRA adapters as GGUF files: random weights, for tests that need an adapter and no sense."""

import array
import random
import struct

UINT32, FLOAT32, STRING = 4, 6, 8
ALIGNMENT = 32


def text(value):
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def fact(key, kind, value):
    packed = text(value) if kind == STRING else struct.pack("<f" if kind == FLOAT32 else "<I", value)
    return text(key) + struct.pack("<I", kind) + packed


def padded(raw):
    return raw + bytes(-len(raw) % ALIGNMENT)


def write_lora(path, *, layers, width, rank=4, strength=0.2, seed=1, architecture="llama"):
    """An adapter of every layer's attn_q: `width` values in and out."""
    numbers = random.Random(seed)
    facts = [
        fact("general.architecture", STRING, architecture),
        fact("general.type", STRING, "adapter"),
        fact("adapter.type", STRING, "lora"),
        fact("adapter.lora.alpha", FLOAT32, float(rank)),
    ]
    infos, data = b"", b""
    for layer in range(layers):
        for half, shape in (("a", (width, rank)), ("b", (rank, width))):
            infos += text(f"blk.{layer}.attn_q.weight.lora_{half}")
            infos += struct.pack("<IQQIQ", 2, *shape, 0, len(data))
            values = (numbers.gauss(0, strength) for _ in range(width * rank))
            data += padded(array.array("f", values).tobytes())
    head = b"GGUF" + struct.pack("<IQQ", 3, 2 * layers, len(facts)) + b"".join(facts) + infos
    path.write_bytes(padded(head) + data)
    return path
