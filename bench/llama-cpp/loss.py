"""Mean negative log-likelihood, in nats, of ids from standard input under F32.gguf as transformers reads it.

    echo "1 2 3" | python bench/llama-cpp/loss.py FOLDER THREADS

Needs Python with `torch`, `transformers`, `accelerate` and `gguf`.
"""

import sys

import torch
from transformers import AutoModelForCausalLM

folder, threads = sys.argv[1:]
torch.set_num_threads(int(threads))
model = AutoModelForCausalLM.from_pretrained(folder, gguf_file="F32.gguf", dtype=torch.float32).eval()
ids = torch.tensor([[int(word) for word in sys.stdin.read().split()]])
with torch.no_grad():
    hidden = model.model(ids[:, :-1]).last_hidden_state[0]
    # The logits of a long text at once would be gigabytes.
    losses = [
        torch.nn.functional.cross_entropy(model.lm_head(rows).double(), targets, reduction="sum").item()
        for rows, targets in zip(hidden.split(512), ids[0, 1:].split(512))
    ]
print(sum(losses) / (ids.shape[1] - 1))
