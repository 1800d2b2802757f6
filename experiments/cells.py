"""Every recurrent cell on The Time Machine, with as many parameters as a GRU of 256 units.

    python experiments/cells.py [--epochs 8] [--cells gru mgu ...]

Prints a Markdown table, a row as each is done: units, parameters, tokens/s of training, and the perplexities of the
training part and of the held-out test part at the best validation.
"""

import argparse

import torch

import seqlab
from seqlab.cells import CELLS
from seqlab.nn.language_network import LanguageOptions

VOCAB, EMBEDDING, UNITS = 28, 64, 256


def parameters(cell: str, hidden_size: int) -> int:
    with torch.device("meta"):
        network = LanguageOptions(cell, hidden_size, embedding_size=EMBEDDING).build(VOCAB)
    return sum(weights.numel() for weights in network.parameters())


def units(cell: str, wanted: int) -> int:
    """The hidden size, a multiple of 8, whose number of parameters comes closest."""
    return min(range(64, 1025, 8), key=lambda size: abs(parameters(cell, size) - wanted))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--cells", nargs="+", default=[*CELLS], choices=[*CELLS], metavar="CELL")
    options = parser.parse_args()
    wanted = parameters("gru", UNITS)
    rows = ["| cell | units | parameters | tokens/s | train | **held out** |", "|---|---|---|---|---|---|"]
    print("\n".join(rows), flush=True)
    for cell in options.cells:
        size = units(cell, wanted)
        trainer = {"max_epochs": options.epochs, "enable_progress_bar": False}
        run = seqlab.fit(model={"name": cell, "hidden_size": size}, trainer=trainer, run=f"cells-{cell}", bar="none")
        reports = [seqlab.evaluate(str(run.checkpoint), split=split) for split in ("train", "test")]
        reached = [report.measures["perplexity"] for report in reports]
        speed = run.metrics["train/tokens_per_second"]
        row = f"| {cell} | {size} | {parameters(cell, size):,} | {speed:,.0f} | {reached[0]:.3f} | {reached[1]:.3f} |"
        rows.append(row)
        print(row, flush=True)
    print("\n" + "\n".join(rows))


if __name__ == "__main__":
    main()
