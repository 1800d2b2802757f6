"""``python -m seqlab.inspect CKPT ...``: shows what trained models do inside."""

import sys
from pathlib import Path
from typing import Any

from seqlab import VERBS
from seqlab.cli.objects import in_python
from seqlab.cli.parser import Parser
from seqlab.cli.process import run_verb
from seqlab.cli.verbs import add_options_of, check_names, checked, first_words, load_all, load_any, of_checkpoint

USAGE = "python -m seqlab.inspect CKPT [CKPT ...] [--output FOLDER] [--OPTION VALUE ...]"
EXAMPLES = (
    "python -m seqlab.inspect lightning_logs/gru-time_machine --output figures",
    "python -m seqlab.inspect lightning_logs/rnn-time_machine lightning_logs/lstm-time_machine --output figures",
)


def inspect(ckpt: str, **options: Any) -> Any:
    """Shows what a trained model does inside.

    Args:
        ckpt: Checkpoint of the model, the folder of its run, or a folder of Hugging Face's weights (``word`` and
            ``text`` alone).
        options: Options of the model's own ``inspect``, such as ``text`` and ``num_steps``.

    Raises:
        UserError: The checkpoint cannot be read, or the model has nothing to show.
    """
    with in_python():
        loaded = load_any("inspect", ckpt)
        return loaded.model.inspect(loaded.data, **checked(loaded.model, "inspect", options))


def _run(argv: list[str]) -> None:
    parser = Parser(usage=USAGE, description=VERBS["inspect"], examples=EXAMPLES, epilog=of_checkpoint("inspect"))
    parser.add_argument(
        "ckpt",
        type=str,
        nargs="+",
        help="Checkpoints of models of one task, or the folders of their runs; with --word and --text also folders of "
        "Hugging Face's weights.",
    )
    parser.add_argument("--output", type=str | None, help="Folder for figures.")
    check_names(parser, "inspect", argv)
    loaded = load_all("inspect", first_words(argv))
    named = add_options_of(parser, loaded[0] if loaded else None, "inspect")
    config = parser.parse_sentence(argv)
    asked = {name: config[name] for name in named}
    found = [one.model.inspect(one.data, **asked) for one in loaded]
    said = [*map(str, found)]
    if len(found) > 1 and hasattr(found[0], "together"):
        said.append(type(found[0]).together(found))
    print("\n\n".join(said))
    if config.output is not None:
        files = type(found[0]).draw(found, Path(config.output))
        print("", *(f"Figure: {path}" for path in files), sep="\n")


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_verb(_run, argv)


if __name__ == "__main__":
    sys.exit(main())
