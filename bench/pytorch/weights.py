"""Weights as compare.mjs writes them: a file of safetensors, and how they come into a module."""

import json
import struct

import torch

KINDS = {"F32": torch.float32, "I32": torch.int32}


def read(path):
    """The arrays of a file by name."""
    with open(path, "rb") as file:
        data = bytearray(file.read())
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    arrays = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        kind, shape = KINDS[entry["dtype"]], entry["shape"]
        flat = torch.frombuffer(data, dtype=kind, count=(end - begin) // 4, offset=begin) if end > begin else None
        arrays[name] = torch.zeros(shape, dtype=kind) if flat is None else flat.view(shape).clone()
    return arrays


def gains(arrays):
    """A norm's gain is called weight by PyTorch's own layers."""
    return {name.replace(".gain", ".weight"): array for name, array in arrays.items()}
