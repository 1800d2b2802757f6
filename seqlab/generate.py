"""``python -m seqlab.generate CKPT --prefix "time traveller"``: continues a text with a trained model."""

import sys
from typing import Any

from jsonargparse import ActionYesNo

from seqlab import VERBS
from seqlab.cli.objects import in_python
from seqlab.cli.parser import Parser
from seqlab.cli.process import run_verb
from seqlab.cli.verbs import add_options_of, checked, load_for, named_checkpoint
from seqlab.models.model import Model

USAGE = 'python -m seqlab.generate CKPT [--prefix "TEXT"] [--OPTION VALUE ...]'
EXAMPLES = (
    'python -m seqlab.generate lightning_logs/gru-time_machine --prefix "time traveller"',
    "python -m seqlab.generate lightning_logs/gru-time_machine --temperature 0.5 --num_samples 3",
)


def generate(ckpt: str, prefix: str = "", **options: Any) -> list[str]:
    """Continues a prefix with a trained model.

    Args:
        ckpt: Checkpoint of the model, or the folder of its run with the best checkpoint.
        prefix: Text to continue, cleaned like the training text.
        options: Options of the model's own ``generate``, such as ``num_tokens``, ``temperature`` and ``num_samples``.

    Returns:
        The text of each sample, with the prefix.

    Raises:
        UserError: The checkpoint cannot be read or an option is out of its range.
    """
    with in_python():
        model = load_for("generate", ckpt).model
        asked = checked(model, "generate", options)
        _say_first(model, prefix, asked.get("num_tokens", 200))
        return [*model.generate(prefix, **{"num_samples": 1, **asked})]


def _say_first(model: Model, prefix: str, num_tokens: int) -> None:
    """Prints notes on the prefix and the length."""
    if (words := model.overflow(len(model.codec.encode(prefix)) + num_tokens)) is not None:
        print(f"seqlab: {words}", file=sys.stderr)
    if unknown := model.codec.unknown(prefix):
        words = ", ".join(map(repr, unknown[:10]))
        print(f"seqlab: the model does not know {words} of the prefix and reads <unk> instead", file=sys.stderr)


def _run(argv: list[str]) -> None:
    parser = Parser(usage=USAGE, description=VERBS["generate"], examples=EXAMPLES)
    parser.add_argument("ckpt", type=str, help="Checkpoint of the model, or the folder of its run.")
    parser.add_argument("--prefix", type=str, default="", help="Text to continue, cleaned like the training text.")
    parser.add_argument(
        "--verbose", action=ActionYesNo, nargs="?", default=False, help="Print the memory of the carried state."
    )
    loaded = named_checkpoint(parser, "generate", argv)
    add_options_of(parser, loaded, "generate")
    options = parser.parse_sentence(argv).as_dict()
    assert loaded is not None
    options.pop("ckpt")
    verbose, samples = options.pop("verbose"), options.pop("num_samples")
    _say_first(loaded.model, options["prefix"], options["num_tokens"])
    shown, texts, alone = "", [""], samples in (None, 1)
    for texts in loaded.model.stream(**options, num_samples=1 if samples is None else samples, streaming=alone):
        if alone and not texts[0].endswith("�"):
            print(texts[0].removeprefix(shown), end="", flush=True)
            shown = texts[0]
    print() if alone else print("\n\n".join(texts))
    if verbose:
        tokens = len(loaded.model.codec.encode(options["prefix"])) + options["num_tokens"] - 1
        print(f"seqlab: {loaded.model.state_size(samples or 1, tokens)}", file=sys.stderr)


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_verb(_run, argv)


if __name__ == "__main__":
    sys.exit(main())
