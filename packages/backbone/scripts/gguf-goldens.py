"""Writes test/golden/gguf with Python's `gguf` package: blocks with their values, and small models and vocabularies.

    pip install torch transformers safetensors gguf sentencepiece
    python packages/backbone/scripts/gguf-goldens.py

- `blocks.safetensors`: for each type `TYPE.bytes` (random blocks with finite scales) and `TYPE.values` (float32).
- `tiny-llama3.gguf`, `tiny-qwen2.gguf`, `tiny-gpt2.gguf`: the folders of test/golden/hf in the order of rows of llama.cpp's files.
- `blocks.gguf`: the Llama of test/golden/architectures with matrices of several block types; `blocks-logits.safetensors` has
  the logits of `transformers` with the values of these blocks.
- `sentence-piece-*.gguf`: vocabularies trained by SentencePiece; `sentence-piece.json` has the ids that it gives some texts.
"""

import io
import json
import pathlib

import gguf
import numpy as np
import sentencepiece
import torch
import transformers
from gguf import GGMLQuantizationType as Q
from safetensors.numpy import save_file
from safetensors.torch import load_file

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "test" / "golden"
OUT = GOLDEN / "gguf"
OUT.mkdir(exist_ok=True)
random = np.random.default_rng(11)


def random_blocks(kind, count):
    """Blocks of random bits; half-precision scales are finite, negative and tiny ones among them."""
    values, size = gguf.GGML_QUANT_SIZES[kind]
    raw = random.integers(0, 256, (count, size), dtype=np.uint8)
    scales = {Q.Q4_0: [0], Q.Q5_0: [0], Q.Q8_0: [0], Q.Q6_K: [208]}.get(kind, [0, 2])
    for at in scales:
        drawn = (random.standard_normal(count) * 0.02).astype(np.float16)
        drawn[0] = np.float16(3e-7)
        raw[:, at : at + 2] = drawn[:, None].view(np.uint8)
    return raw


def write_blocks():
    tensors = {}
    kinds = [Q.Q4_0, Q.Q4_1, Q.Q5_0, Q.Q5_1, Q.Q8_0, Q.Q4_K, Q.Q5_K, Q.Q6_K]
    for kind in kinds:
        raw = random_blocks(kind, 3 if gguf.GGML_QUANT_SIZES[kind][0] == 256 else 8)
        tensors[f"{kind.name}.bytes"] = raw
        tensors[f"{kind.name}.values"] = gguf.quants.dequantize(raw, kind).astype(np.float32)
    save_file(tensors, OUT / "blocks.safetensors")


def neighbours(rows, heads):
    """Rows i and i + half of every head as neighbours 2i, 2i + 1."""
    head = rows.shape[0] // heads
    return rows.reshape(heads, 2, head // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


LLAMA = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
GPT2 = {
    "wte": "token_embd",
    "wpe": "position_embd",
    "ln_f": "output_norm",
    "ln_1": "attn_norm",
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "ln_2": "ffn_norm",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}


def gguf_name(key, names):
    stem, kind = key.rsplit(".", 1)
    parts = stem.removeprefix("model.").split(".")
    if parts[0] in ("layers", "h"):
        return f"blk.{parts[1]}.{names['.'.join(parts[2:])]}.{kind}"
    return f"{names[stem]}.{kind}"


def weights_of(folder):
    state = {}
    for file in sorted(folder.glob("*.safetensors")):
        if file.name != "logits.safetensors":
            state.update(load_file(file))
    return state


def add_shape(writer, config):
    if config["model_type"] == "gpt2":
        writer.add_context_length(config["n_positions"])
        writer.add_embedding_length(config["n_embd"])
        writer.add_block_count(config["n_layer"])
        writer.add_head_count(config["n_head"])
        writer.add_feed_forward_length(config.get("n_inner") or 4 * config["n_embd"])
        writer.add_layer_norm_eps(config.get("layer_norm_epsilon", 1e-5))
        return
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    head = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_layer_norm_rms_eps(config.get("rms_norm_eps", 1e-6))
    writer.add_rope_freq_base(config.get("rope_theta", 10000.0))
    scaling = config.get("rope_scaling")
    if scaling:
        writer.add_tensor("rope_freqs.weight", llama3_factors(config, scaling, head))


def llama3_factors(config, scaling, head):
    """What frequencies are divided by, from transformers' own function."""
    made = transformers.AutoConfig.for_model(**config)
    stretched, _ = transformers.modeling_rope_utils.ROPE_INIT_FUNCTIONS["llama3"](made, torch.device("cpu"))
    plain = 1.0 / (config["rope_theta"] ** (torch.arange(0, head, 2).float() / head))
    return (plain / stretched).numpy().astype(np.float32)


def add_byte_level(writer, folder, pre):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = {**tokenizer["model"]["vocab"], **{t["content"]: t["id"] for t in tokenizer["added_tokens"]}}
    tokens = [token for token, _ in sorted(vocabulary.items(), key=lambda pair: pair[1])]
    special = {t["content"]: t["special"] for t in tokenizer["added_tokens"]}
    kinds = {None: gguf.TokenType.NORMAL, True: gguf.TokenType.CONTROL, False: gguf.TokenType.USER_DEFINED}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([kinds[special.get(token)] for token in tokens])
    merges = tokenizer["model"]["merges"]
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
    return vocabulary


def write_model(path, arch, config, state, types=lambda name: Q.F32, tokenizer=None):
    """Returns the state as the types round it."""
    writer = gguf.GGUFWriter(path, arch)
    add_shape(writer, config)
    if tokenizer:
        tokenizer(writer)
    rounded = {}
    names = GPT2 if arch == "gpt2" else LLAMA
    for key, tensor in state.items():
        values = tensor.float().numpy()
        name = gguf_name(key, names)
        kind = types(name)
        if arch == "gpt2" and values.ndim == 2 and ".c_" in key:
            values = values.T
        if arch == "llama" and (".q_proj." in key or ".k_proj." in key):
            heads = config["num_attention_heads" if ".q_proj." in key else "num_key_value_heads"]
            stored = neighbours(values, heads)
            inverse = np.argsort(neighbours(np.arange(values.shape[0])[:, None], heads)[:, 0])
        else:
            stored, inverse = values, slice(None)
        data = gguf.quants.quantize(np.ascontiguousarray(stored), kind)
        writer.add_tensor(name, data, raw_dtype=kind)
        rounded[key] = torch.from_numpy(gguf.quants.dequantize(data, kind).reshape(values.shape)[inverse].copy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return rounded


def matrices(kind):
    return lambda name: Q.F32 if "norm" in name or name.endswith(".bias") or "freqs" in name else kind


def write_folders():
    for folder, arch, pre, kind in [
        ("tiny-llama3", "llama", "llama-bpe", Q.F16),
        ("tiny-qwen2", "qwen2", "qwen2", Q.BF16),
        ("tiny-gpt2", "gpt2", "gpt-2", Q.F32),
    ]:
        path = GOLDEN / "hf" / folder
        config = json.loads((path / "config.json").read_text())
        state = {k.removeprefix("transformer."): v for k, v in weights_of(path).items()}
        state = {k: v for k, v in state.items() if not k.endswith((".attn.bias", ".masked_bias"))}
        if config.get("tie_word_embeddings"):
            state.pop("lm_head.weight", None)

        def tokenizer(writer):
            vocabulary = add_byte_level(writer, path, pre)
            if folder == "tiny-llama3":
                writer.add_bos_token_id(vocabulary["<|begin_of_text|>"])
                writer.add_eos_token_id(vocabulary["<|end_of_text|>"])
                writer.add_chat_template("{{ bos_token }}{% for m in messages %}{{ m.content }}<|eot_id|>{% endfor %}")

        write_model(OUT / f"{folder}.gguf", arch, config, state, matrices(kind), tokenizer)


def write_block_model():
    folder = GOLDEN / "architectures" / "llama"
    case = json.loads((folder / "cases.json").read_text())[0]
    config = case["config"]
    by_name = {
        "token_embd": Q.Q8_0,
        "attn_q": Q.Q4_0,
        "attn_k": Q.Q4_1,
        "attn_v": Q.Q5_0,
        "attn_output": Q.Q5_1,
        "ffn_gate": Q.Q8_0,
        "ffn_up": Q.Q4_1,
        "ffn_down": Q.F16,
        "output": Q.Q8_0,
    }
    def types(name):
        return next((kind for part, kind in by_name.items() if name.endswith(f"{part}.weight")), Q.F32)

    rounded = write_model(OUT / "blocks.gguf", "llama", config, weights_of(folder), types)
    made = transformers.AutoConfig.for_model(**config)
    made._attn_implementation = "eager"
    model = transformers.AutoModelForCausalLM.from_config(made, dtype=torch.float32).eval()
    model.load_state_dict(rounded)
    with torch.no_grad():
        logits = model(torch.tensor([case["ids"]])).logits[0]
    save_file({"logits": logits.numpy(), "ids": np.array(case["ids"], np.int32)}, OUT / "blocks-logits.safetensors")


TEXTS = [
    "",
    "the ship sails over the sea",
    " the  ship\n\n",
    "The sailor's boat, 1234 boats: the héron & the 船.",
    "a<s>b</s>c <mark> d<mark>",
    "under_score",
    "tab\there\r\n🙂 and \ufeff mark",
]


def write_sentence_piece():
    """Once with a blank before every text, as Llama 2 has it, and once without, as Gemma has it."""
    lines = [
        "the ship sails over the sea and the sailors sing",
        "a boat, a ship and many boats sail where the sea is wide",
        "the sailor mends the sail of his boat near the shore",
        "over the wide sea the heron flies, 1 2 3 4 boats below",
    ]
    cases = []
    for name, prefix in [("prefixed", True), ("plain", False)]:
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines * 20),
            model_writer=model,
            model_type="bpe",
            vocab_size=340,
            byte_fallback=True,
            add_dummy_prefix=prefix,
            remove_extra_whitespaces=False,
            normalization_rule_name="identity",
            # Runs of blanks as Gemma has them; with a blank before every text no vocabulary is known to have any.
            user_defined_symbols=["<mark>"] if prefix else ["<mark>", "▁▁"],
            split_digits=True,
            allow_whitespace_only_pieces=True,
        )
        processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
        kind = gguf.TokenType
        count = processor.vocab_size()
        is_own = lambda i: processor.id_to_piece(i) in ("<mark>", "▁▁")
        types = [
            kind.UNKNOWN
            if processor.is_unknown(i)
            else kind.CONTROL
            if processor.is_control(i)
            else kind.BYTE
            if processor.is_byte(i)
            else kind.USER_DEFINED
            if is_own(i)
            else kind.NORMAL
            for i in range(count)
        ]
        writer = gguf.GGUFWriter(OUT / f"sentence-piece-{name}.gguf", "llama")
        add_shape(
            writer,
            dict(
                model_type="llama",
                max_position_embeddings=32,
                hidden_size=4,
                num_hidden_layers=1,
                intermediate_size=4,
                num_attention_heads=1,
                num_key_value_heads=1,
            ),
        )
        writer.add_tokenizer_model("llama")
        writer.add_token_list([processor.id_to_piece(i) for i in range(count)])
        writer.add_token_scores([processor.get_score(i) for i in range(count)])
        writer.add_token_types(types)
        writer.add_bos_token_id(processor.bos_id())
        writer.add_eos_token_id(processor.eos_id())
        writer.add_unk_token_id(processor.unk_id())
        writer.add_add_space_prefix(prefix)
        for tensor, shape in [
            ("token_embd.weight", (count, 4)),
            ("output_norm.weight", (4,)),
            ("blk.0.attn_norm.weight", (4,)),
            ("blk.0.ffn_norm.weight", (4,)),
            *[(f"blk.0.{part}.weight", (4, 4)) for part in ("attn_q", "attn_k", "attn_v", "attn_output")],
            *[(f"blk.0.ffn_{part}.weight", (4, 4)) for part in ("gate", "up", "down")],
        ]:
            writer.add_tensor(tensor, np.zeros(shape, np.float16 if len(shape) == 2 else np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        # The library does not look for control tokens in texts.
        texts = [text for text in TEXTS if "<s>" not in text]
        cases.append(
            {
                "file": f"sentence-piece-{name}.gguf",
                "texts": [
                    {"text": text, "ids": processor.encode(text), "decoded": processor.decode(processor.encode(text))}
                    for text in texts
                ],
            }
        )
    (OUT / "sentence-piece.json").write_text(json.dumps(cases, ensure_ascii=False) + "\n")


write_blocks()
write_folders()
write_block_model()
write_sentence_piece()
for file in sorted(OUT.iterdir()):
    print(file.name, file.stat().st_size)
