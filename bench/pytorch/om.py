"""Om's attentive recurrent cells as they were published: segment after segment, layer after layer, nothing kept of an open segment."""

import torch
import torch.nn.functional as F
from torch import nn


def normalised(x, layer, name):
    return F.layer_norm(x, x.shape[-1:], layer[f"{name}_gain"], layer[f"{name}_bias"])


class Om(nn.Module):
    """
    Every layer attends over [read state | tokens | write state] in several passes, each with queries, keys and values of what
    the pass before gave; the write rows become the state of the next segment. A token that is written computes its segment anew.
    """

    def __init__(
        self,
        vocabulary=65,
        layers=8,
        width=256,
        heads=8,
        passes=(64, 32, 16),
        segment=128,
        rows=16,
        ngrams=(),
    ):
        super().__init__()
        self.vocabulary, self.width, self.heads, self.passes = vocabulary, width, heads, passes
        self.segment, self.rows, self.ngrams = segment, rows, ngrams
        self.context = max(1, *ngrams, 1) - 1
        self.layers = nn.ModuleList(nn.ParameterDict() for _ in range(layers))
        self.rest = nn.ParameterDict()
        places = torch.arange(1, segment + 2 * rows + 1)[:, None]
        for index, key in enumerate(passes):
            # Half of a key's components are turned, in pairs that lie half of these apart.
            angles = places * 10000 ** (-torch.arange(0, key // 2, 2) / (key // 2))
            self.register_buffer(f"cos{index}", angles.cos(), persistent=False)
            self.register_buffer(f"sin{index}", angles.sin(), persistent=False)

    def adopt(self, arrays):
        """Every layer's own part of arrays that are stacked along the layers."""
        for name, array in arrays.items():
            if name.startswith("layers."):
                key = name.removeprefix("layers.").replace(".", "_")
                for layer, own in zip(self.layers, array):
                    layer[key] = nn.Parameter(own.clone())
            else:
                self.rest[name.replace(".", "_")] = nn.Parameter(array)

    def start(self, batch):
        """The states before a text, and ids that stand before it."""
        pads = torch.full((batch, self.context), self.vocabulary - 1)
        return [layer["initState"].expand(batch, -1, -1) for layer in self.layers], pads

    def forward(self, ids, state=None):
        """Logits of the last segment's places, or of all without a state; with one, what a text goes on from."""
        states, before = state or self.start(ids.shape[0])
        ids = torch.cat([before, ids], 1)
        x = self.embedded(ids)
        outputs, closed = [], 0
        for rows in x.split(self.segment, 1):
            after = []
            for layer, own in zip(self.layers, states):
                rows, own = self.layer(layer, rows, own)
                after.append(own)
            outputs.append(rows)
            if rows.shape[1] == self.segment:
                states, closed = after, closed + self.segment
        logits = F.linear(torch.cat(outputs, 1), self.rest["head_weight"][: self.vocabulary])
        return logits, (states, ids[:, closed:])

    def embedded(self, ids):
        e = F.embedding(ids, self.rest["embedding"])
        x = e[:, self.context :]
        for index, size in enumerate(self.ngrams):
            last = [e[:, self.context + 1 - size + i : e.shape[1] + 1 - size + i] for i in range(size)]
            low = F.linear(torch.cat(last, -1), self.rest[f"ngrams_{index}_down"])
            x = x + F.linear(low, self.rest[f"ngrams_{index}_up"])
        return x

    def turned(self, x, index):
        half = self.passes[index] // 4
        cos, sin = (getattr(self, f"{name}{index}")[: x.shape[2]] for name in ("cos", "sin"))
        a, b, rest = x.split([half, half, x.shape[-1] - 2 * half], -1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin, rest], -1)

    def layer(self, layer, x, state):
        batch, tokens = x.shape[:2]
        kinds, sizes = ("state", "token", "state"), (self.rows, tokens, self.rows)
        y = torch.cat([state, x, state], 1)[:, None].expand(-1, self.heads, -1, -1)
        for index, key in enumerate(self.passes):
            # One matrix for all heads lies side by side in the first pass.
            own = {kind: layer[f"passes_{index}_projections_{kind}_qkv"] for kind in set(kinds)}
            if index == 0:
                own = {kind: w.view(self.width, self.heads, -1).transpose(0, 1) for kind, w in own.items()}
            packed = torch.cat([part @ own[kind] for part, kind in zip(y.split(sizes, 2), kinds)], 2)
            q, k, v = packed.split([key, key, packed.shape[-1] - 2 * key], -1)
            y = F.scaled_dot_product_attention(self.turned(q, index), self.turned(k, index), v, is_causal=True)
        token, write = y[:, :, self.rows :].split([tokens, self.rows], 2)
        joined = lambda heads: heads.transpose(1, 2).reshape(batch, heads.shape[2], -1)
        token, write = (
            joined(part @ layer[f"inner_{kind}"]) @ layer[f"output_{kind}"]
            for part, kind in ((token, "token"), (write, "state"))
        )
        x = normalised(x + token, layer, "attentionNorm")
        hidden = F.gelu(x @ layer["mlp_plain_0_weight"] + layer["mlp_plain_0_bias"])
        x = normalised(x + hidden @ layer["mlp_plain_1_weight"] + layer["mlp_plain_1_bias"], layer, "mlpNorm")
        return x, normalised(write, layer, "stateNorm")
