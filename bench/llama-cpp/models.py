"""Writes a model as GGUF files in F32, Q8_0 and Q4_0, to be read by Palimpsest and by llama.cpp.

    python bench/llama-cpp/models.py random FOLDER       random weights in the shape of SmolLM2-135M
    python bench/llama-cpp/models.py FILE.gguf FOLDER    the weights of that file, widened and rounded anew

Needs Python with `gguf` and `numpy`. Files that are there already are kept.
"""

import pathlib
import sys

import numpy
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter, quants

TYPES = ("F32", "Q8_0", "Q4_0")
LAYERS, WIDTH, INNER, HEADS, KV_HEADS, VOCABULARY = 30, 576, 1536, 9, 3, 49_152


def rounded(values, type_name):
    """Matrices take the type; vectors stay float32, as llama.cpp itself writes them."""
    kind = GGMLQuantizationType.F32 if values.ndim == 1 else GGMLQuantizationType[type_name]
    return quants.quantize(values.astype(numpy.float32), kind), kind


def random_tensors():
    rng = numpy.random.default_rng(1)
    head_rows = WIDTH // HEADS * KV_HEADS
    shapes = {"token_embd": (VOCABULARY, WIDTH), "output_norm": (WIDTH,)}
    for layer in range(LAYERS):
        for name, shape in {
            "attn_norm": (WIDTH,),
            "attn_q": (WIDTH, WIDTH),
            "attn_k": (head_rows, WIDTH),
            "attn_v": (head_rows, WIDTH),
            "attn_output": (WIDTH, WIDTH),
            "ffn_norm": (WIDTH,),
            "ffn_gate": (INNER, WIDTH),
            "ffn_up": (INNER, WIDTH),
            "ffn_down": (WIDTH, INNER),
        }.items():
            shapes[f"blk.{layer}.{name}"] = shape
    for name, shape in shapes.items():
        values = numpy.ones(shape) if len(shape) == 1 else rng.uniform(-0.03, 0.03, shape)
        yield f"{name}.weight", values.astype(numpy.float32)


def vocabulary():
    """Byte-level pairs: all bytes, then words of two, three and four letters, each of a shorter one and a letter."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = (byte for byte in range(256) if byte not in printable)
    letters = {**{byte: chr(byte) for byte in printable}, **{byte: chr(256 + n) for n, byte in enumerate(others)}}
    tokens = ["<|endoftext|>", *(letters[byte] for byte in range(256))]
    merges = []
    shorter = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    while len(tokens) < VOCABULARY:
        longer = [(word, chr(code)) for word in shorter for code in range(ord("a"), ord("z") + 1)]
        longer = longer[: VOCABULARY - len(tokens)]
        merges += [" ".join(pair) for pair in longer]
        shorter = ["".join(pair) for pair in longer]
        tokens += shorter
    return tokens, merges


def describe_random(writer):
    writer.add_context_length(8192)
    writer.add_block_count(LAYERS)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(100_000.0)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(VOCABULARY)
    tokens, merges = vocabulary()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3, *[1] * (VOCABULARY - 1)])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)


def copied(reader):
    """What a file says of itself, without what a writer says anyway."""

    def describe(writer):
        for key, field in reader.fields.items():
            if key.startswith("GGUF.") or key in ("general.architecture", "general.file_type"):
                continue
            kind = field.types[0]
            inner = field.types[-1] if kind == GGUFValueType.ARRAY else None
            writer.add_key_value(key, field.contents(), kind, inner)

    return describe


def write(path, architecture, describe, tensors, type_name):
    writer = GGUFWriter(path, architecture)
    describe(writer)
    for name, values in tensors:
        data, kind = rounded(values, type_name)
        writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{path}: {path.stat().st_size} bytes")


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    source, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    if source == "random":
        architecture, describe, tensors = "llama", describe_random, random_tensors
    else:
        reader = GGUFReader(source)
        architecture, describe = reader.fields["general.architecture"].contents(), copied(reader)

        def tensors():
            for tensor in reader.tensors:
                values = quants.dequantize(tensor.data, tensor.tensor_type)
                yield tensor.name, values.reshape([int(extent) for extent in reversed(tensor.shape)])

    for type_name in TYPES:
        path = folder / f"{type_name}.gguf"
        if not path.exists():
            write(path, architecture, describe, tensors(), type_name)


main()
