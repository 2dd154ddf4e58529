"""
Checks and times models of models.py for compare.mjs: requests are lines of JSON on the standard input, answers lines on the output.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F

from models import MODELS
from weights import read


class Training:
    """Optimiser steps on texts from the first token on."""

    def __init__(self, model, original, size):
        self.model, self.original, self.size = model, original, size
        self.optimiser = torch.optim.AdamW(original.parameters(), lr=1e-3, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1)

    def step(self, ids, targets):
        self.optimiser.zero_grad(set_to_none=True)
        logits, _ = self.model(ids)
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.original.parameters(), 1.0)
        self.optimiser.step()
        return loss, norm

    def check(self, ids):
        """Losses and norms of the gradients, step by step; the targets are the inputs, turned by one."""
        texts = torch.tensor(ids).view(-1, *self.size)
        return [part.item() for text in texts for part in self.step(text, text.roll(-1, 1))]

    def run(self, prefix):
        ids, targets = torch.randint(65, (2, *self.size))
        return elapsed(lambda: self.step(ids, targets))


class Reading:
    """A text at once."""

    def __init__(self, model, original, size):
        self.model, self.original, self.size = model, original, size

    @torch.inference_mode()
    def check(self, ids):
        return self.model(torch.tensor([ids]), self.original.start(1))[0][0, -1].tolist()

    @torch.inference_mode()
    def run(self, prefix):
        ids = torch.randint(65, (1, *self.size))
        return elapsed(lambda: self.model(ids, self.original.start(1)))


class Writing(Reading):
    """Tokens behind a text, each the likeliest after the last."""

    def begun(self, ids):
        state = self.original.start(1)
        return self.model(torch.tensor([ids]), state)[1] if ids else state

    @torch.inference_mode()
    def check(self, ids):
        state = self.begun(ids[: -self.size[0]])
        for id in ids[-self.size[0] :]:
            logits, state = self.model(torch.tensor([[id]]), state)
        return logits[0, -1].tolist()

    @torch.inference_mode()
    def run(self, prefix):
        state = self.begun(prefix)
        return elapsed(lambda: self.write(state))

    def write(self, state):
        ids = torch.zeros(1, 1, dtype=torch.long)
        for _ in range(self.size[0]):
            logits, state = self.model(ids, state)
            ids = logits[:, -1].argmax(-1, keepdim=True)


class Updating:
    """An update of a policy; what it needs lies with the weights."""

    def __init__(self, model, original, size):
        self.model = model

    @torch.inference_mode()
    def check(self, ids):
        return self.model()[0].flatten().tolist()

    @torch.inference_mode()
    def run(self, prefix):
        return elapsed(self.model)


WORK = {"train": Training, "read": Reading, "decode": Writing, "update": Updating}


def elapsed(call):
    begin = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - begin)


def prepared(request):
    original = MODELS[request["model"]](**request["options"])
    original.adopt(read(request["weights"]))
    model = torch.compile(original) if request["compile"] else original
    return WORK[request["what"]](model, original, request["size"]), sum(p.numel() for p in original.parameters())


def main():
    torch.set_num_threads(int(sys.argv[1]))
    ready = {}
    print(json.dumps({"torch": torch.__version__}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        key = tuple(request.get(name) for name in ("model", "what", "compile"))
        try:
            if request["do"] == "prepare":
                ready[key], parameters = prepared(request)
                print(json.dumps({"parameters": parameters, "values": ready[key].check(request["ids"])}), flush=True)
            elif request["do"] == "time":
                print(json.dumps({"milliseconds": ready[key].run(request["prefix"])}), flush=True)
            else:
                ready.clear()
                print(json.dumps({}), flush=True)
        except Exception as error:  # what cannot be compiled is said, and the comparison goes on
            lines = str(error).splitlines() or [type(error).__name__]
            print(json.dumps({"error": lines[0][:200]}), flush=True)


main()
