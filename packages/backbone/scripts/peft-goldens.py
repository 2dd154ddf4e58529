"""Writes test/golden/peft: adapters of PEFT beside the tiny models of test/golden/hf, and what the models compute with them.

    pip install torch transformers peft safetensors
    python packages/backbone/scripts/peft-goldens.py

Each folder is what `save_pretrained` of PEFT writes, with the path of its base as seen from there, and `logits.safetensors`:
`ids`, and `logits` `[position, vocabulary]` in float32.
"""

import json
import os
import pathlib
import shutil

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "test" / "golden"
CASES = {
    "tiny-qwen2": dict(r=2, lora_alpha=3, target_modules=["q_proj", "v_proj", "o_proj", "gate_proj", "down_proj"]),
    "tiny-gpt2": dict(r=2, lora_alpha=4, target_modules=["c_attn", "mlp.c_proj"], use_rslora=True),
}

for name, options in CASES.items():
    out = GOLDEN / "peft" / name
    shutil.rmtree(out, ignore_errors=True)
    torch.manual_seed(1)
    base = AutoModelForCausalLM.from_pretrained(GOLDEN / "hf" / name, dtype=torch.float32)
    model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **options)).eval()
    with torch.no_grad():
        for key, value in model.named_parameters():
            if "lora_B" in key:
                value.normal_(0, 0.3)
        ids = torch.tensor([[(7 * i * i + 3 * i + 5) % base.config.vocab_size for i in range(12)]])
        logits = model(ids).logits[0]
    model.save_pretrained(out)
    config = json.loads((out / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = os.path.relpath(GOLDEN / "hf" / name, out)
    (out / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")
    (out / "README.md").unlink(missing_ok=True)
    save_file({"ids": ids[0].to(torch.int32), "logits": logits.contiguous()}, out / "logits.safetensors")
