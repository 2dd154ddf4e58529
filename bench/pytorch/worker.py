"""Times models of models.py for compare.mjs: requests are lines of JSON on the standard input, answers lines on the output."""

import json
import sys
import time

import torch
import torch.nn.functional as F

from models import MODELS


def training(model, batch, length):
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1)

    def run():
        ids = torch.randint(65, (batch, length))
        targets = torch.randint(65, (batch, length))
        optimiser.zero_grad(set_to_none=True)
        logits, _ = model(ids)
        F.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()

    return run


@torch.inference_mode()
def decoding(model, original, tokens):
    """A text of so many tokens, each the likeliest after the last."""
    state, ids = original.start(1), torch.zeros(1, 1, dtype=torch.long)
    for _ in range(tokens):
        logits, state = model(ids, state)
        ids = logits[:, -1].argmax(-1, keepdim=True)


@torch.inference_mode()
def reading(model, original, tokens):
    model(torch.randint(65, (1, tokens)), original.start(1))


def prepared(request):
    torch.manual_seed(1)
    options = {"context": request["context"]} if request["model"] == "gpt" else {}
    original = MODELS[request["model"]](**options)
    model = torch.compile(original) if request["compile"] else original
    size = request["size"]
    if request["what"] == "train":
        run = training(model, *size)
    elif request["what"] == "decode":
        run = lambda: decoding(model, original, *size)
    else:
        run = lambda: reading(model, original, *size)
    for _ in range(request["warmup"]):
        run()
    return run, sum(p.numel() for p in original.parameters())


def main():
    torch.set_num_threads(int(sys.argv[1]))
    ready = {}
    print(json.dumps({"torch": torch.__version__}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        key = json.dumps({**request, "repeats": 0})
        try:
            if key not in ready:
                ready[key] = prepared(request)
            run, parameters = ready[key]
            times = []
            for _ in range(request["repeats"]):
                begin = time.perf_counter()
                run()
                times.append(1000 * (time.perf_counter() - begin))
            print(json.dumps({"milliseconds": times, "parameters": parameters}), flush=True)
        except Exception as error:  # what cannot be compiled is said, and the comparison goes on
            print(json.dumps({"error": str(error).splitlines()[0][:200]}), flush=True)


main()
