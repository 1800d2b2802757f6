"""Tokens per second of seqlab's networks against the bare `torch.nn` layers that they are made of.

    python experiments/speed/layers.py [--steps 40] [--rounds 9]

A training step (forward, cross-entropy, backward, clipping, Adam) on 32 x 35 characters, for rnn, gru and lstm.
"""

import argparse
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from pairing import compare, machine
from torch import Tensor, nn

from seqlab.nn.language_network import LanguageNetwork

VOCAB, BATCH, STEPS = 28, 32, 35
LAYERS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class Bare(nn.Module):
    """One-hot vectors, an `nn` layer, an output layer: as one would write it by hand."""

    def __init__(self, cell: str, hidden: int) -> None:
        super().__init__()
        self.layers = LAYERS[cell](VOCAB, hidden, batch_first=True)
        self.output = nn.Linear(hidden, VOCAB)

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        outputs, _ = self.layers(F.one_hot(inputs, VOCAB).float())
        return F.cross_entropy(self.output(outputs).flatten(0, 1), targets.flatten())


class Ours(nn.Module):
    """The network of a language model, with the loss that it is trained by."""

    def __init__(self, cell: str, hidden: int) -> None:
        super().__init__()
        self.network = LanguageNetwork(VOCAB, cell, hidden, embedding_size=None, dropout=0.0)

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        nats, tokens, _ = self.network.nats(inputs, targets)
        return nats / tokens


def stopwatch(model: Bare | Ours, steps: int) -> Callable[[], float]:
    optimizer = torch.optim.Adam(model.parameters())
    ids = torch.randint(VOCAB, (BATCH, STEPS + 1))

    def run() -> float:
        started = time.perf_counter()
        for _ in range(steps):
            optimizer.zero_grad()
            model.loss(ids[:, :-1], ids[:, 1:]).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        return (time.perf_counter() - started) / steps

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    print(machine())
    print(f"{'a step of':<34}{'seqlab':>11}{'bare nn':>12}{'ratio':>9}  [lowest .. highest]")
    for cell in LAYERS:
        for hidden in (256, 512):
            ours, theirs = (stopwatch(kind(cell, hidden), options.steps) for kind in (Ours, Bare))
            row = compare(f"{cell} {hidden}, {BATCH} x {STEPS}", ours, theirs, options.rounds)
            print(row, f" {BATCH * STEPS / ours():10,.0f} tokens/s", flush=True)


if __name__ == "__main__":
    main()
