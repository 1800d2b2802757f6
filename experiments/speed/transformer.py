"""A training step of nanoGPT's recipe for a CPU, against nanoGPT's own step, written from its description.

    python experiments/speed/transformer.py [--layers 4] [--heads 4] [--size 128] [--steps 64] [--batch 12] [--rounds 9]

4 layers, 4 heads, 128 numbers, 64 characters, batches of 12, 65 ids, no dropout, no biases, AdamW with decay on
matrices alone, gradients clipped at 1. Theirs has learned positions and updates weights one after the other, as it does
on a CPU; ours is what ``fit --model transformer`` runs, with the positions that --positions names.
"""

import argparse
import time
from collections.abc import Callable

from pairing import compare, machine
from seqlab.models.optimization import in_groups, in_one_pass
from seqlab.nn.transformer_language import TransformerLanguageOptions
from seqlab.runs.allocator import keep_freed_memory

import torch
import torch.nn.functional as F
from torch import Tensor, nn

IDS = 65


class Block(nn.Module):
    """Attention and a feed-forward block, each behind a norm and added."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(size, bias=False), nn.LayerNorm(size, bias=False)
        self.attention, self.projection = nn.Linear(size, 3 * size, bias=False), nn.Linear(size, size, bias=False)
        self.wide, self.narrow = nn.Linear(size, 4 * size, bias=False), nn.Linear(4 * size, size, bias=False)
        self.gelu = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        batch, time_, size = x.shape
        parts = self.attention(self.first(x)).split(size, dim=2)
        q, k, v = (part.view(batch, time_, self.heads, size // self.heads).transpose(1, 2) for part in parts)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.projection(mixed.transpose(1, 2).contiguous().view(batch, time_, size))
        return x + self.narrow(self.gelu(self.wide(self.second(x))))


class NanoGPT(nn.Module):
    """Token and position embeddings, blocks, a last norm, an output layer that shares the token embedding."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(IDS, options.size), nn.Embedding(options.steps, options.size)
        self.blocks = nn.ModuleList(Block(options.size, options.heads) for _ in range(options.layers))
        self.last = nn.LayerNorm(options.size, bias=False)
        self.output = nn.Linear(options.size, IDS, bias=False)
        self.tokens.weight = self.output.weight

    def loss(self, ids: Tensor, targets: Tensor) -> Tensor:
        x = self.tokens(ids) + self.places(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        logits = self.output(self.last(x))
        return F.cross_entropy(logits.view(-1, IDS), targets.reshape(-1))


class Ours(nn.Module):
    """The network of a language model, with the loss that it is trained by."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__()
        made = TransformerLanguageOptions(
            hidden_size=options.size,
            num_layers=options.layers,
            num_heads=options.heads,
            positions=options.positions,
            context=options.steps if options.positions == "learned" else None,
            dropout=0.0,
            bias=False,
        )
        self.network = made.build(IDS)

    def loss(self, ids: Tensor, targets: Tensor) -> Tensor:
        nats, tokens, _ = self.network.nats(ids, targets)
        return nats / tokens


def stopwatch(kind: type[NanoGPT] | type[Ours], options: argparse.Namespace) -> Callable[[], float]:
    torch.manual_seed(0)
    model = kind(options)
    groups = in_groups(model.named_parameters(), True)
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1)
    if kind is Ours:
        in_one_pass(optimizer)
    text = torch.randint(IDS, (100_000,))

    def run() -> float:
        started = time.perf_counter()
        for _ in range(options.repeats):
            places = torch.randint(len(text) - options.steps, (options.batch,))
            inputs = torch.stack([text[place : place + options.steps] for place in places])
            targets = torch.stack([text[place + 1 : place + 1 + options.steps] for place in places])
            loss = model.loss(inputs, targets)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return (time.perf_counter() - started) / options.repeats

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in {
        "layers": 4,
        "heads": 4,
        "size": 128,
        "steps": 64,
        "batch": 12,
        "repeats": 10,
        "rounds": 9,
    }.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--positions", default="rotary", choices=["rotary", "sinusoidal", "learned", "none"])
    options = parser.parse_args()
    print(machine())
    keep_freed_memory()
    ours, theirs = stopwatch(Ours, options), stopwatch(NanoGPT, options)
    print(f"{'a step of':<34}{'nanoGPT':>11}{'seqlab':>12}{'ratio':>9}  [lowest .. highest]")
    shape = f"{options.layers} x {options.size}, {options.batch} x {options.steps}, {options.positions}"
    print(compare(shape, theirs, ours, options.rounds), f" {options.batch * options.steps / ours():10,.0f} tokens/s")


if __name__ == "__main__":
    main()
