"""Writes pytorch.json: what PyTorch's nn.GRU and nn.LSTM compute, gradients included, over small float64 arrays.

python pytorch.py && npx biome format --write pytorch.json (PyTorch 2; recent versions agree)

Weights are written with the gates in this library's order: update, reset, candidate; input, output, forget, candidate.
PyTorch has reset, update, candidate; input, forget, candidate, output. Its two biases of an LSTM are written as their sum.
"""

import json
import pathlib

import torch

TIME, BATCH, INPUT, HIDDEN = 5, 2, 3, 4
ORDER = {"gru": [1, 0, 2], "lstm": [0, 3, 1, 2]}


def array(tensor):
    return {"shape": list(tensor.shape), "data": [float(f"{value:.9g}") for value in tensor.detach().flatten().tolist()]}


def ordered(kind, tensor):
    parts = tensor.detach().chunk(len(ORDER[kind]), dim=0)
    return torch.cat([parts[place] for place in ORDER[kind]], dim=0)


def case(kind):
    torch.manual_seed(7)
    layer = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[kind](INPUT, HIDDEN).double()
    with torch.no_grad():
        # Larger than PyTorch starts with, so that the gates leave their linear range.
        for parameter in layer.parameters():
            parameter.mul_(3)
    x = torch.randn(TIME, BATCH, INPUT, dtype=torch.float64, requires_grad=True)
    start = [torch.randn(1, BATCH, HIDDEN, dtype=torch.float64, requires_grad=True) for _ in range(2 if kind == "lstm" else 1)]
    states, last = layer(x, tuple(start) if kind == "lstm" else start[0])
    last = list(last) if kind == "lstm" else [last]
    weights = [torch.randn_like(part) for part in [states, *last]]
    loss = sum((part * weight).sum() for part, weight in zip([states, *last], weights))
    loss.backward()
    named = {
        "inputWeight": layer.weight_ih_l0,
        "stateWeight": layer.weight_hh_l0,
        "inputBias": layer.bias_ih_l0,
        "stateBias": layer.bias_hh_l0,
    }
    values = {name: ordered(kind, parameter) for name, parameter in named.items()}
    gradients = {name: ordered(kind, parameter.grad) for name, parameter in named.items()}
    if kind == "lstm":
        values["bias"] = values.pop("inputBias") + values.pop("stateBias")
        gradients["bias"] = gradients.pop("inputBias")
        del gradients["stateBias"]
    names = ["hidden", "cell"][: len(start)]
    values |= {"x": x} | {name: part[0] for name, part in zip(names, start)}
    gradients |= {"x": x.grad} | {name: part.grad[0] for name, part in zip(names, start)}
    return {
        "inputs": {name: array(value) for name, value in values.items()},
        "lossWeights": [array(weights[0]), *(array(weight[0]) for weight in weights[1:])],
        "outputs": [array(states), *(array(part[0]) for part in last)],
        "gradients": {name: array(value) for name, value in gradients.items()},
    }


target = pathlib.Path(__file__).with_suffix(".json")
target.write_text(json.dumps({"torch": torch.__version__, "gru": case("gru"), "lstm": case("lstm")}, indent=1) + "\n")
