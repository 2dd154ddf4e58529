"""An update of NAMM as it was published: features of an interval's attention rows, scores of all cached tokens, what stays."""

import torch
import torch.nn.functional as F
from torch import nn


class Update(nn.Module):
    """
    One layer's update. Rows of all pieces wait until it, `[1, query heads, queries, tokens]` each; every token's column is cut
    into windows, whose spectra fade over time; a token sees what came after it, and stays if its score is not negative.
    """

    def __init__(self, heads=4, window=32, hop=16, fade=0.99, width=32, ages=8, slowest=50000):
        super().__init__()
        self.heads, self.window, self.hop, self.fade = heads, window, hop, fade
        self.width, self.ages = width, ages
        self.register_buffer("hann", torch.hann_window(window, periodic=True), persistent=False)
        speeds = slowest ** (-torch.arange(ages // 2) / (ages // 2))
        self.register_buffer("speeds", speeds, persistent=False)

    def adopt(self, arrays):
        for name, array in arrays.items():
            self.register_buffer(name.replace(".", "_"), array)
        self.pieces = [getattr(self, name.replace(".", "_")) for name in sorted(arrays) if name.startswith("piece")]
        inputs = self.ages + self.window // 2 + 1
        shapes = [(inputs, 3 * self.width), (3 * self.width,), (self.width, 2 * inputs), (2 * inputs,), (inputs, 1), (1,)]
        sizes = [torch.Size(shape).numel() for shape in shapes]
        self.parts = [part.view(shape) for part, shape in zip(self.vector.split(sizes), shapes)]

    def forward(self):
        """Scores `[1, heads, tokens]`, indices that stay `[1, heads, kept]`, and what is kept of cache and policy."""
        tokens = self.keys.shape[2]
        block, average = self.features(tokens)
        scores = self.scores(average)
        kept = self.selected(scores)
        gathered = [
            x.gather(2, kept[..., None].expand(-1, -1, -1, x.shape[-1])) for x in (self.keys, self.keys, average, block)
        ]
        return scores, kept, gathered

    def features(self, tokens):
        rows = torch.cat([F.pad(piece, (0, tokens - piece.shape[-1])) for piece in self.pieces], 2)
        grouped = rows.unflatten(1, (self.heads, -1)).mean(2)
        block = grouped.transpose(2, 3)
        queries, old = block.shape[-1], self.block.shape[2]
        tail = F.pad(self.block[..., self.hop - self.window :], (0, 0, 0, tokens - old))
        samples = torch.cat([tail, block], -1)
        spectra = torch.fft.rfft(samples.unfold(-1, self.window, self.hop) * self.hann).abs()
        frames = queries // self.hop
        places, order = torch.arange(tokens)[:, None], torch.arange(frames)
        born = order >= torch.div(places - (tokens - queries), self.hop, rounding_mode="floor")
        decay = self.fade**self.hop
        weights = torch.where(born, (1 - decay) * decay ** (frames - 1 - order), 0.0)
        fresh = (spectra * weights[:, :, None]).sum(-2)
        return block, fresh + self.fade**queries * F.pad(self.average, (0, 0, 0, tokens - old))

    def scores(self, average):
        places = self.positions.float()
        angles = (places.amax(-1, keepdim=True) - places)[..., None] * self.speeds
        features = torch.cat([angles.sin(), angles.cos(), average], -1)
        qkv, qkv_bias, out, out_bias, last, last_bias = self.parts
        q, k, v = (features @ qkv + qkv_bias).chunk(3, -1)
        later = torch.ones(q.shape[2], q.shape[2], dtype=torch.bool).triu()
        read = F.scaled_dot_product_attention(q, k, v, attn_mask=later) @ out + out_bias
        added, factor = read.chunk(2, -1)
        return ((features * (1 + factor) + added) @ last + last_bias).squeeze(-1)

    def selected(self, scores):
        """All heads keep as many as the one that keeps most; the newest stays whatever its score."""
        passing = scores >= 0
        passing[..., -1] = True
        order = scores.masked_fill(F.one_hot(torch.tensor(scores.shape[-1] - 1)).bool(), float("inf"))
        best = order.sort(dim=-1, descending=True, stable=True).indices
        return best[..., : int(passing.sum(-1).max())].sort(-1).values
