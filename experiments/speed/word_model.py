"""A word model, 2 x 200 LSTM over a vocabulary of 14,000, against the plain `torch.nn` version of the same.

    python experiments/speed/word_model.py [--cell lstm] [--vocab 14000] [--precision fp32|bf16]
        [--softmax full|adaptive] [--rounds 7] [--keep]

A training step (forward, cross-entropy, backward, clipping, SGD) on 20 x 35 words that follow Zipf's law; peak memory
of each in a process of its own. With --softmax adaptive ours has clusters of rare words. With --keep both keep freed
memory as ``fit`` does, which spares the plain version most of its page faults.
"""

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable
from typing import Literal

from pairing import compare, machine
from seqlab.nn.language_network import LanguageOptions
from seqlab.runs.allocator import keep_freed_memory

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BATCH, STEPS, HIDDEN = 20, 35, 200


class Bare(nn.Module):
    """As one would write it by hand."""

    def __init__(self, cell: str, vocab: int, softmax: str) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab, HIDDEN)
        self.layers = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[cell](HIDDEN, HIDDEN, 2, batch_first=True)
        self.output = nn.Linear(HIDDEN, vocab)

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        outputs, _ = self.layers(self.embedding(inputs))
        return F.cross_entropy(self.output(outputs).flatten(0, 1), targets.flatten())


class Ours(nn.Module):
    """The network of a language model, with the loss that it is trained by."""

    def __init__(self, cell: str, vocab: int, softmax: Literal["full", "adaptive"]) -> None:
        super().__init__()
        options = LanguageOptions(
            cell=cell, hidden_size=HIDDEN, num_layers=2, embedding_size=HIDDEN, dropout=0.0, softmax=softmax
        )
        self.network = options.build(vocab)

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        nats, tokens, _ = self.network.nats(inputs, targets)
        return nats / tokens


def stopwatch(kind: type[Bare] | type[Ours], options: argparse.Namespace) -> Callable[[], float]:
    torch.manual_seed(0)
    model = kind(options.cell, options.vocab, options.softmax)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    often = 1 / torch.arange(1, options.vocab + 1)  # Zipf's law
    ids = often.multinomial(BATCH * (STEPS + 1), replacement=True).view(BATCH, STEPS + 1)

    def run() -> float:
        started = time.perf_counter()
        for _ in range(options.steps):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bf16"):
                loss = model.loss(ids[:, :-1], ids[:, 1:])
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        return (time.perf_counter() - started) / options.steps

    return run


def peak(kind: type[Bare] | type[Ours], options: argparse.Namespace) -> None:
    """Prints the largest memory of this process above what it had before the first step."""
    run = stopwatch(kind, options)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{kind.__name__:<6} {(after - before) / 1024:.0f} MB above the {before / 1024:.0f} MB before the first step")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cell", choices=["rnn", "gru", "lstm"], default="lstm")
    parser.add_argument("--vocab", type=int, default=14_000)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--softmax", choices=["full", "adaptive"], default="full")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    print(machine(), options.precision)
    for kind in (Ours, Bare):
        process = multiprocessing.get_context("spawn").Process(target=peak, args=(kind, options))
        process.start()
        process.join()
    if options.keep:
        keep_freed_memory()
    ours, theirs = stopwatch(Ours, options), stopwatch(Bare, options)
    print(f"{'a step of':<34}{'bare nn':>11}{'seqlab':>12}{'ratio':>9}  [lowest .. highest]")
    row = compare(f"{options.cell} 2 x {HIDDEN}, {options.vocab:,} words", theirs, ours, options.rounds)
    print(row, f" {BATCH * STEPS / ours():10,.0f} tokens/s")


if __name__ == "__main__":
    main()
