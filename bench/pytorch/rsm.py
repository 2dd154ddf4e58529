"""RSM, a transformer with memory slots: the published wiring, and the one that this house trains by default."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from weights import gains


def sinusoids(rows, width):
    speeds = torch.exp(torch.arange(0, width, 2) * (-math.log(10000) / width))
    angles = torch.arange(rows)[:, None] * speeds
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


class Block(nn.Module):
    def __init__(self, d, heads, published):
        super().__init__()
        self.heads, self.published = heads, published
        bare = lambda: nn.Linear(d, d, bias=False)
        self.attentionNorm, self.readNorm, self.mlpNorm = (nn.LayerNorm(d) for _ in range(3))
        self.selfAttention = nn.ModuleDict({"qkv": nn.Linear(d, 3 * d, bias=False), "projection": nn.Linear(d, d)})
        self.memoryRead = nn.ModuleDict(
            {"query": bare(), "key": bare(), "value": bare(), "output": nn.Linear(d, d)}
        )
        write = {"gate": nn.Linear(d, d), "input": bare()}
        more = {"recurrence": bare()} if published else {"salienceQuery": nn.Linear(d, d), "salienceKey": bare()}
        self.memoryWrite = nn.ModuleDict({**write, **more})
        self.mlp = nn.ModuleDict({"hidden": nn.Linear(d, 4 * d), "output": nn.Linear(4 * d, d)})

    def slots(self, memory):
        """Keys and values of the memory, which the tokens read."""
        return self.memoryRead["key"](memory), self.memoryRead["value"](memory)

    def forward(self, x, slots, before):
        """Rows of a chunk behind the keys and values of its earlier ones; what is written is given beside the output."""
        batch, time, d = x.shape
        packed = self.selfAttention["qkv"](self.attentionNorm(x))
        q, k, v = (part.view(batch, time, self.heads, -1).transpose(1, 2) for part in packed.chunk(3, -1))
        if before is not None:
            k, v = torch.cat([before[0], k], 2), torch.cat([before[1], v], 2)
        read = F.scaled_dot_product_attention(q, k, v, is_causal=before is None and time > 1)
        x = attended = x + self.selfAttention["projection"](read.transpose(1, 2).reshape(batch, time, d))
        query = self.memoryRead["query"](self.readNorm(x))
        x = x + self.memoryRead["output"](F.scaled_dot_product_attention(query, *slots))
        x = x + self.mlp["output"](F.relu(self.mlp["hidden"](self.mlpNorm(x))))
        return x, (k, v), x if self.published else attended

    def written(self, memory, source, identity):
        """The memory after a chunk, of which it keeps a gated summary."""
        if self.published:
            summary = source.mean(1, keepdim=True)
        else:
            query, key = self.memoryWrite["salienceQuery"](identity), self.memoryWrite["salienceKey"](source)
            summary = F.scaled_dot_product_attention(query.expand(len(source), -1, -1), key, source)
        gate = torch.sigmoid(self.memoryWrite["gate"](summary))
        candidate = self.memoryWrite["input"](summary)
        if self.published:
            candidate = candidate + self.memoryWrite["recurrence"](memory)
        return (1 - gate) * memory + gate * torch.tanh(candidate)


class Rsm(nn.Module):
    """
    Chunk by chunk, the memory of slots written at a chunk's end. Published: one memory, which every block reads as the block
    before left it, so that no row can be kept, and a token is written by the whole window again. Ours: one memory per block,
    read as it was at the chunk's start, written by an attention of the slots, and keys and values are kept within a chunk.
    """

    def __init__(self, vocabulary=65, width=128, layers=4, heads=4, slots=32, chunk=256, published=False):
        super().__init__()
        self.chunk, self.published = chunk, published
        self.tokenEmbedding = nn.Parameter(torch.empty(vocabulary, width))
        self.memoryInit = nn.Parameter(torch.empty(1 if published else layers, slots, width))
        self.slotIdentity = None if published else nn.Parameter(torch.empty(layers, slots, width))
        self.blocks = nn.ModuleList(Block(width, heads, published) for _ in range(layers))
        self.normOut = nn.LayerNorm(width)
        self.register_buffer("places", sinusoids(chunk, width), persistent=False)

    def adopt(self, arrays):
        self.load_state_dict(gains(arrays))

    def first(self, batch):
        # The published program detaches the memory before every chunk, the first one too.
        memory = self.memoryInit.detach() if self.published else self.memoryInit
        return list(memory[:, None].expand(-1, batch, -1, -1))

    def start(self, batch):
        if self.published:
            return self.first(batch), torch.zeros(batch, 0, dtype=torch.long)
        return self.first(batch), 0, None, None

    def forward(self, ids, state=None):
        if self.published and state is not None:
            return self.window(ids, state)
        memory, place, kept, slots = state or (self.first(ids.shape[0]), 0, None, None)
        logits = []
        for piece in self.pieces(ids, place):
            slots = slots or self.open(memory)
            x, memory, kept = self.rows(piece, place, memory, slots, kept)
            place += piece.shape[1]
            if place == self.chunk:
                place, kept, slots = 0, None, None
            logits.append(x)
        return F.linear(self.normOut(torch.cat(logits, 1)), self.tokenEmbedding), (memory, place, kept, slots)

    def window(self, ids, state):
        """A call on the last ids of a text; the memory that it leaves is kept, all else is computed anew."""
        memory, context = state
        context = torch.cat([context, ids], 1)[:, 1 - self.chunk :]
        x, memory, _ = self.rows(context, 0, memory, self.open(memory), None, ends=True)
        return F.linear(self.normOut(x), self.tokenEmbedding), (memory, context)

    def pieces(self, ids, place):
        cuts = range(self.chunk - place, ids.shape[1], self.chunk)
        return [ids[:, begin:end] for begin, end in zip((0, *cuts), (*cuts, ids.shape[1]))]

    def open(self, memory):
        if self.published:
            return [None] * len(self.blocks)
        return [block.slots(own + self.slotIdentity[i]) for i, (block, own) in enumerate(zip(self.blocks, memory))]

    def rows(self, ids, place, memory, slots, kept, ends=False):
        time = ids.shape[1]
        ends = ends or place + time == self.chunk
        x = F.embedding(ids, self.tokenEmbedding) + self.places[place : place + time]
        memory, after = list(memory), []
        for i, block in enumerate(self.blocks):
            own = 0 if self.published else i
            before = kept[i] if kept else None
            reads = block.slots(memory[0]) if self.published else slots[i]
            x, cache, source = block(x, reads, before and before[0])
            source = source if before is None else torch.cat([before[1], source], 1)
            after.append((cache, source))
            if ends:
                identity = None if self.published else self.slotIdentity[i]
                memory[own] = block.written(memory[own], source, identity)
        return x, memory, after
