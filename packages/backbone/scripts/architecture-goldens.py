"""Writes test/golden/architectures: tiny models with random weights, and what `transformers` computes with them.

    pip install torch transformers safetensors
    python packages/backbone/scripts/architecture-goldens.py

Each folder has `model.safetensors` (BF16), `cases.json` with configurations that share these weights and the ids that are
read, and `logits.safetensors` with the logits `[position, vocabulary]` of case 0, 1, ... in float32.
"""

import json
import pathlib

import torch
import transformers
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).resolve().parent.parent / "test" / "golden" / "architectures"
VOCABULARY = 48
IDS = [(7 * i * i + 3 * i + 5) % VOCABULARY for i in range(20)]
SHAPE = dict(
    vocab_size=VOCABULARY,
    hidden_size=32,
    intermediate_size=40,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=64,
    pad_token_id=0,
    bos_token_id=1,
    eos_token_id=[2, 3],
)
PAIRS = 4
SHORT = [1.0 + 0.05 * i for i in range(PAIRS)]
LONG = [1.5 + 0.9 * i for i in range(PAIRS)]

# name: what the files state; the first case of a folder also makes the weights
FOLDERS = {
    "llama": {
        "plain, head by default": {},
        "llama3 scaling": {
            "rope_theta": 500000.0,
            "rope_scaling": {
                "rope_type": "llama3",
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 16,
            },
        },
        "linear scaling, under its first name": {"rope_scaling": {"type": "linear", "factor": 2.5}},
        "dynamic scaling beyond the context": {
            "max_position_embeddings": 12,
            "rope_scaling": {"rope_type": "dynamic", "factor": 3.0},
        },
        "dynamic scaling within the context": {"rope_scaling": {"rope_type": "dynamic", "factor": 3.0}},
        "yarn": {
            "rope_scaling": {
                "rope_type": "yarn",
                "factor": 4.0,
                "original_max_position_embeddings": 16,
                "beta_fast": 4.0,
                "beta_slow": 0.5,
            }
        },
        "yarn, fractions and two magnitudes": {
            "rope_scaling": {
                "rope_type": "yarn",
                "factor": 6.0,
                "original_max_position_embeddings": 10,
                "beta_fast": 3.0,
                "beta_slow": 0.3,
                "mscale": 0.8,
                "mscale_all_dim": 0.4,
                "truncate": False,
            }
        },
        "longrope, short": {
            "rope_scaling": {
                "rope_type": "longrope",
                "short_factor": SHORT,
                "long_factor": LONG,
                "factor": 3.0,
                "original_max_position_embeddings": 32,
            }
        },
        "longrope, long": {
            "rope_scaling": {
                "rope_type": "longrope",
                "short_factor": SHORT,
                "long_factor": LONG,
                "original_max_position_embeddings": 12,
            }
        },
        "new names": {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 5000.0}},
    },
    "llama-biased": {"biases, a wider head": {"head_dim": 12, "attention_bias": True, "mlp_bias": True}},
    "mistral": {
        "a window": {"sliding_window": 6},
        "no window": {"sliding_window": None},
    },
    "qwen2": {
        "full attention": {},
        "windows from a layer on": {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1},
        "windows by name": {
            "use_sliding_window": True,
            "sliding_window": 5,
            "layer_types": ["sliding_attention", "full_attention"],
        },
    },
    "qwen3": {"plain": {"head_dim": 12, "rope_theta": 1000000.0, "tie_word_embeddings": True}},
    "smollm3": {
        "every second layer without positions": {"no_rope_layer_interval": 2, "num_hidden_layers": 4},
        "a list of them": {"no_rope_layers": [1, 1, 1, 0], "num_hidden_layers": 4},
    },
    "gemma3": {
        "local layers": {
            "model_type": "gemma3_text",
            "num_hidden_layers": 3,
            "head_dim": 12,
            "sliding_window": 5,
            "sliding_window_pattern": 3,
            "query_pre_attn_scalar": 20,
            "rope_theta": 1000000.0,
            "rope_local_base_freq": 10000.0,
        },
        "stretched": {
            "model_type": "gemma3_text",
            "num_hidden_layers": 3,
            "head_dim": 12,
            "sliding_window": 7,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
            "rope_scaling": {"rope_type": "linear", "factor": 8.0},
        },
        "new names": {
            "model_type": "gemma3_text",
            "num_hidden_layers": 3,
            "head_dim": 12,
            "sliding_window": 4,
            "layer_types": ["full_attention", "sliding_attention", "sliding_attention"],
            "rope_parameters": {
                "full_attention": {"rope_type": "default", "rope_theta": 40000.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 900.0},
            },
        },
    },
}


def model_of(config_json):
    config = transformers.AutoConfig.for_model(**config_json)
    config._attn_implementation = "eager"
    return transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()


def randomise(model):
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            is_gain = name.endswith("norm.weight")
            centre = 0.0 if "gemma" in model.config.model_type else 1.0
            value = centre + 0.2 * noise if is_gain else 0.3 * noise
            parameter.copy_(value.to(torch.bfloat16).float())


for folder, cases in FOLDERS.items():
    out = OUT / folder
    out.mkdir(parents=True, exist_ok=True)
    state = None
    written = []
    expected = {}
    for name, extra in cases.items():
        config_json = {"model_type": folder.split("-")[0], **SHAPE, **extra}
        model = model_of(json.loads(json.dumps(config_json)))
        if state is None:
            randomise(model)
            state = model.state_dict()
            tied = getattr(model.config, "tie_word_embeddings", False)
            kept = {k: v.to(torch.bfloat16) for k, v in state.items() if not (tied and k == "lm_head.weight")}
            save_file({k: v.contiguous().clone() for k, v in kept.items()}, out / "model.safetensors")
        else:
            model.load_state_dict(state)
        with torch.no_grad():
            logits = model(torch.tensor([IDS])).logits[0]
        expected[str(len(written))] = logits.float().contiguous()
        written.append({"name": name, "config": config_json, "ids": IDS})
    (out / "cases.json").write_text(json.dumps(written, indent=1) + "\n")
    save_file(expected, out / "logits.safetensors")
    print(folder, len(written), sum(f.stat().st_size for f in out.iterdir()))
