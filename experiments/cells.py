"""Every recurrent cell, a Transformer and a window MLP on The Time Machine, as many parameters each as a GRU of 256.

    python experiments/cells.py [--epochs 8] [--models gru mgu transformer ...]

Prints a Markdown table, a row as each is done: units, parameters, tokens/s of training, and the perplexities of the
training part and of the held-out test part at the best validation.
"""

import argparse

import torch

import seqlab
from seqlab.models import TASKS

VOCAB, UNITS = 28, 256
NETWORKS = TASKS["language"].networks
TRAINED = [name for name, network in NETWORKS.items() if network.options.by_gradients]


def parameters(model: str, hidden_size: int) -> int:
    with torch.device("meta"):
        network = NETWORKS[model].made({"hidden_size": hidden_size}).build(VOCAB)
    return sum(weights.numel() for weights in network.parameters())


def units(model: str, wanted: int) -> int:
    """The hidden size, a multiple of 8, whose number of parameters comes closest."""
    return min(range(64, 1025, 8), key=lambda size: abs(parameters(model, size) - wanted))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--models", nargs="+", default=TRAINED, choices=TRAINED, metavar="MODEL")
    options = parser.parse_args()
    wanted = parameters("gru", UNITS)
    rows = ["| model | units | parameters | tokens/s | train | **held out** |", "|---|---|---|---|---|---|"]
    print("\n".join(rows), flush=True)
    for model in options.models:
        size = units(model, wanted)
        trainer = {"max_epochs": options.epochs, "enable_progress_bar": False}
        run = seqlab.fit(model={"name": model, "hidden_size": size}, trainer=trainer, run=f"cells-{model}", bar="none")
        reports = [seqlab.evaluate(str(run.checkpoint), split=split) for split in ("train", "test")]
        reached = [report.measures["perplexity"] for report in reports]
        speed = run.metrics["train/tokens_per_second"]
        row = f"| {model} | {size} | {parameters(model, size):,} | {speed:,.0f} | {reached[0]:.3f} | {reached[1]:.3f} |"
        rows.append(row)
        print(row, flush=True)
    print("\n" + "\n".join(rows))


if __name__ == "__main__":
    main()
