"""Every recurrent cell on The Time Machine, with as many parameters as a GRU of 256 units.

    python experiments/cells.py [--epochs 8] [--cells gru mgu ...]

Prints a Markdown table, a row as each is done: units, parameters, tokens/s of training, and the perplexities of the
training part and of the held-out test part at the best validation.
"""

import argparse

import torch

import seqlab
from seqlab.cells import CELLS
from seqlab.nn.language_network import LanguageNetwork

VOCAB, EMBEDDING, UNITS = 28, 64, 256
VARIANTS: dict[str, dict[str, object]] = {
    **{name: {"name": name} for name in CELLS},
    "gru, reset before": {"name": "gru", "reset_after": False},
}


def parameters(model: dict[str, object], hidden_size: int) -> int:
    options = {key: value for key, value in model.items() if key != "name"}
    with torch.device("meta"):
        network = LanguageNetwork(VOCAB, str(model["name"]), hidden_size, EMBEDDING, **options)  # type: ignore[arg-type]
    return sum(weights.numel() for weights in network.parameters())


def units(model: dict[str, object], wanted: int) -> int:
    """The hidden size, a multiple of 8, whose number of parameters comes closest."""
    return min(range(64, 1025, 8), key=lambda size: abs(parameters(model, size) - wanted))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--cells", nargs="+", default=[*VARIANTS], choices=[*VARIANTS], metavar="CELL")
    options = parser.parse_args()
    wanted = parameters({"name": "gru"}, UNITS)
    rows = ["| cell | units | parameters | tokens/s | train | **held out** |", "|---|---|---|---|---|---|"]
    print("\n".join(rows), flush=True)
    for name in options.cells:
        model = VARIANTS[name]
        size = units(model, wanted)
        trainer = {"max_epochs": options.epochs, "enable_progress_bar": False}
        run = seqlab.fit(model={**model, "hidden_size": size}, trainer=trainer, run=f"cells-{name.replace(', ', '-')}")
        reached = [seqlab.evaluate(str(run.checkpoint), split=split).perplexity for split in ("train", "test")]
        speed = run.metrics["train/tokens_per_second"]
        row = f"| {name} | {size} | {parameters(model, size):,} | {speed:,.0f} | {reached[0]:.3f} | {reached[1]:.3f} |"
        rows.append(row)
        print(row, flush=True)
    print("\n" + "\n".join(rows))


if __name__ == "__main__":
    main()
