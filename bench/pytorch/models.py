"""Sequence models in plain PyTorch 2, as one would write them from their papers; the comparison's other side. `adopt` takes our weights."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from namm import Update
from om import Om
from rsm import Rsm
from weights import gains


class Gpt(nn.Module):
    """A decoder with learned positions, pre-norm blocks and GELU (Radford et al. 2019)."""

    def __init__(self, vocabulary=65, width=256, layers=4, heads=4, context=64):
        super().__init__()
        self.heads, self.context = heads, context
        self.tokens = nn.Embedding(vocabulary, width)
        self.places = nn.Embedding(context, width)
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "norm": nn.LayerNorm(width),
                    "qkv": nn.Linear(width, 3 * width),
                    "mix": nn.Linear(width, width),
                    "mlp_norm": nn.LayerNorm(width),
                    "up": nn.Linear(width, 4 * width),
                    "down": nn.Linear(4 * width, width),
                }
            )
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.head.weight = self.tokens.weight

    def adopt(self, arrays):
        names = {"attentionNorm": "norm", "queryKeyValue": "qkv", "output": "mix", "mlpNorm": "mlp_norm"}
        own = gains(arrays)
        for name in arrays:
            part = name.split(".")
            if part[0] == "blocks" and part[2] in names:
                key = name.replace(".gain", ".weight")
                own[key.replace(f".{part[2]}.", f".{names[part[2]]}.")] = own.pop(key)
        own["tokens.weight"] = own["head.weight"] = own.pop("tokenEmbedding")
        own["places.weight"] = own.pop("positionEmbedding")
        self.load_state_dict(own)

    def start(self, batch):
        width = self.tokens.weight.shape[1]
        shape = (batch, self.heads, self.context, width // self.heads)
        return 0, [(torch.zeros(shape), torch.zeros(shape)) for _ in self.blocks]

    def forward(self, ids, state=None):
        """Logits of [batch, time] ids; with a state, keys and values are written behind those that it has."""
        batch, time = ids.shape
        begin = 0 if state is None else state[0]
        x = self.tokens(ids) + self.places.weight[begin : begin + time]
        for i, block in enumerate(self.blocks):
            q, k, v = (
                part.view(batch, time, self.heads, -1).transpose(1, 2)
                for part in block["qkv"](block["norm"](x)).chunk(3, -1)
            )
            if state is not None:
                keys, values = state[1][i]
                keys[:, :, begin : begin + time] = k
                values[:, :, begin : begin + time] = v
                k, v = keys[:, :, : begin + time], values[:, :, : begin + time]
            y = F.scaled_dot_product_attention(q, k, v, is_causal=time > 1)
            x = x + block["mix"](y.transpose(1, 2).reshape(batch, time, -1))
            x = x + block["down"](F.gelu(block["up"](block["mlp_norm"](x))))
        after = None if state is None else (begin + time, state[1])
        return self.head(self.norm(x)), after


class Gru(nn.Module):
    """Layers of gated recurrent units, one on the other, by the library's own loop."""

    def __init__(self, vocabulary=65, width=256, layers=2):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.layers = nn.GRU(width, width, layers, batch_first=True)
        self.norm = nn.RMSNorm(width, eps=1e-6)

    def adopt(self, arrays):
        """The gates lie in the order update, reset, candidate there, and reset, update, candidate here."""
        own = {"tokens.weight": arrays["tokenEmbedding"], "norm.weight": arrays["norm"]}
        names = {"inputWeight": "weight_ih", "stateWeight": "weight_hh", "inputBias": "bias_ih", "stateBias": "bias_hh"}
        for layer in range(self.layers.num_layers):
            for theirs, here in names.items():
                update, reset, candidate = arrays[f"blocks.{layer}.mixer.{theirs}"].chunk(3)
                own[f"layers.{here}_l{layer}"] = torch.cat([reset, update, candidate])
        self.load_state_dict(own)

    def start(self, batch):
        return torch.zeros(self.layers.num_layers, batch, self.layers.hidden_size)

    def forward(self, ids, state=None):
        states, last = self.layers(self.tokens(ids), state)
        return F.linear(self.norm(states), self.tokens.weight), last


class LinearAttention(nn.Module):
    """Linear attention (Katharopoulos et al. 2020) in chunks of 64 behind a short convolution, between gated MLPs."""

    def __init__(self, vocabulary=65, width=256, layers=2, heads=4, taps=2, chunk=64):
        super().__init__()
        self.heads, self.taps, self.chunk = heads, taps, chunk
        hidden = math.ceil(width * 8 / 3 / 8) * 8
        self.tokens = nn.Embedding(vocabulary, width)
        # Left of a sum per token: by head from everything to three quarters.
        fades = [1.0] + [1 - 1 / (256 * (1 / 64) ** (i / max(1, heads - 2))) for i in range(heads - 1)]
        self.register_buffer("fade", torch.tensor(fades))
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "norm": nn.RMSNorm(width, eps=1e-6),
                    "conv": nn.Conv1d(width, width, taps, groups=width, bias=False),
                    "qkv": nn.Linear(width, 3 * width, bias=False),
                    "mix": nn.Linear(width, width, bias=False),
                    "mlp_norm": nn.RMSNorm(width, eps=1e-6),
                    "up": nn.Linear(width, 2 * hidden, bias=False),
                    "down": nn.Linear(hidden, width, bias=False),
                }
            )
            for _ in range(layers)
        )
        self.norm = nn.RMSNorm(width, eps=1e-6)

    def adopt(self, arrays):
        names = {"mixerNorm": "norm", "mixer.input": "qkv", "mixer.output": "mix", "mlpNorm": "mlp_norm"}
        own = {"tokens.weight": arrays["tokenEmbedding"], "norm.weight": arrays["norm"], "fade": self.fade}
        for i in range(len(self.blocks)):
            for name in ("mixerNorm", "mixer.input", "mixer.output", "mlpNorm", "up", "down"):
                own[f"blocks.{i}.{names.get(name, name)}.weight"] = arrays[f"blocks.{i}.{name}"]
            # The present token's tap stands first there, and last here.
            own[f"blocks.{i}.conv.weight"] = arrays[f"blocks.{i}.mixer.kernel"].flip(0).t()[:, None]
        self.load_state_dict(own)

    def start(self, batch):
        width = self.tokens.weight.shape[1]
        head = width // self.heads
        return [
            (torch.zeros(batch, width, self.taps - 1), torch.zeros(batch, self.heads, head, head + 1))
            for _ in self.blocks
        ]

    def forward(self, ids, state=None):
        batch, time = ids.shape
        x = self.tokens(ids)
        after = []
        for block, (recent, sums) in zip(self.blocks, state or self.start(batch)):
            seen = torch.cat([recent, block["norm"](x).transpose(1, 2)], 2)
            qkv = block["qkv"](block["conv"](seen).transpose(1, 2))
            q, k, v = (part.view(batch, time, self.heads, -1).transpose(1, 2) for part in qkv.chunk(3, -1))
            v = torch.cat([v, torch.ones_like(v[..., :1])], -1)
            read, sums = self.attend(F.elu(q) + 1, F.elu(k) + 1, v, sums)
            mixed = read[..., :-1] / (read[..., -1:] + 1e-6)
            x = x + block["mix"](mixed.transpose(1, 2).reshape(batch, time, -1))
            gate, value = block["up"](block["mlp_norm"](x)).chunk(2, -1)
            x = x + block["down"](F.silu(gate) * value)
            after.append((seen[..., time:], sums))
        return F.linear(self.norm(x), self.tokens.weight), after

    def attend(self, q, k, v, sums):
        reads = []
        for begin in range(0, q.shape[2], self.chunk):
            a, b, c = (part[:, :, begin : begin + self.chunk] for part in (q, k, v))
            count = a.shape[2]
            places = torch.arange(count)
            gaps = (places[:, None] - places[None, :]).clamp(min=0)
            mask = torch.tril(self.fade[:, None, None] ** gaps)
            since = self.fade[:, None] ** (places + 1)
            until = self.fade[:, None] ** (count - 1 - places)
            read = (a @ b.transpose(2, 3) * mask) @ c + (a * since[..., None]) @ sums
            sums = sums * (self.fade**count)[:, None, None] + (b * until[..., None]).transpose(2, 3) @ c
            reads.append(read)
        return torch.cat(reads, 2), sums


class Osam(nn.Module):
    """OSAM as it was published: token by token, sketches of 2,048 buckets, a convolution by transforms, a dense memory."""

    def __init__(self, vocabulary=65, width=64, sketch=2048, hidden=128):
        super().__init__()
        self.width, self.sketch = width, sketch
        self.tokens = nn.Embedding(vocabulary, width)
        self.q, self.k, self.v = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.phases = nn.Parameter(torch.tensor([0.05, 0.05, 0.02]))
        self.gates = nn.Parameter(torch.full((2,), -2.5))
        self.register_buffer("bucket", torch.zeros(width, dtype=torch.int32))
        self.register_buffer("sign", torch.zeros(width))
        self.readout = nn.Sequential(nn.Linear(sketch, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.project = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)

    def adopt(self, arrays):
        block = {name.removeprefix("blocks.0."): array for name, array in gains(arrays).items()}
        own = {"tokens.weight": block["embedding"], "bucket": block["bucket"], "sign": block["sign"]}
        own["phases"] = torch.stack([block["thetaQuery"], block["thetaKey"], block["omega"]])
        own["gates"] = torch.stack([block["gateFeature"], block["gateValue"]])
        names = {"query": "q", "key": "k", "value": "v", "norm": "norm", "head": "head"}
        names |= {"readout.hidden": "readout.0", "readout.output": "readout.2", "valueProjection.norm": "project.0"}
        names |= {"valueProjection.hidden": "project.1", "valueProjection.output": "project.3"}
        for theirs, here in names.items():
            for kind in ("weight", "bias"):
                if f"{theirs}.{kind}" in block:
                    own[f"{here}.{kind}"] = block[f"{theirs}.{kind}"]
        self.load_state_dict(own)

    def start(self, batch):
        return 0, torch.zeros(batch, 2, self.sketch), torch.zeros(batch, 2, self.width, self.sketch)

    def sketched(self, x):
        return x.new_zeros(*x.shape[:-1], self.sketch).index_add_(-1, self.bucket, x * self.sign)

    def turned(self, x, phase):
        return torch.stack([x * torch.cos(phase), x * torch.sin(phase)], 1)

    def token(self, e, state):
        place, keys, memory = state
        theta_q, theta_k, omega = 0.5 * torch.tanh(self.phases)
        q, k, v = self.q(e), self.k(e), self.v(e)
        query = self.sketched(self.turned(q, theta_q * q - omega * place))
        added = self.sketched(self.turned(k, theta_k * k + omega * place)).detach()
        product = torch.fft.fft(torch.complex(query[:, 0], query[:, 1]), norm="ortho") * torch.fft.fft(
            torch.complex(keys[:, 0], keys[:, 1]), norm="ortho"
        )
        scale = math.sqrt(place + 1)
        feature = self.readout(torch.fft.ifft(product, norm="ortho").real / scale)
        held = query.detach()
        read = torch.einsum("bdm,bm->bd", memory[:, 0], held[:, 0])
        read = (read - torch.einsum("bdm,bm->bd", memory[:, 1], held[:, 1])) / scale
        gate_feature, gate_value = 0.25 * torch.sigmoid(self.gates)
        y = self.norm(e + gate_feature * feature + gate_value * self.project(read))
        memory = memory + v.detach()[:, None, :, None] * added[:, :, None, :]
        return y, (place + 1, keys + added, memory)

    def forward(self, ids, state=None):
        x = self.tokens(ids)
        state = state or self.start(ids.shape[0])
        outputs = []
        for t in range(ids.shape[1]):
            y, state = self.token(x[:, t], state)
            outputs.append(y)
        return self.head(torch.stack(outputs, 1)), state


MODELS = {
    "gpt": Gpt,
    "gru": Gru,
    "linear-attention": LinearAttention,
    "osam": Osam,
    "rsm": Rsm,
    "om": Om,
    "namm": Update,
}
