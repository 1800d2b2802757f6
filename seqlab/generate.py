"""``python -m seqlab.generate CKPT --prefix "time traveller"``: let a trained model write."""

import sys
from collections.abc import Iterator

from seqlab.cli.parser import Parser, run_verb
from seqlab.decoding.text import continue_text
from seqlab.errors import UserError
from seqlab.runs.checkpoint import load_network, read_checkpoint


def generate(
    ckpt: str,
    prefix: str = "",
    num_tokens: int = 200,
    temperature: float = 0.8,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 0,
    num_samples: int = 1,
) -> list[str]:
    """Continues a prefix with a trained model.

    Args:
        ckpt: Checkpoint of the model.
        prefix: Text to continue, cleaned as the training text was.
        num_tokens: Tokens to draw for each sample.
        temperature: Divides the logits; 0 takes the most likely token.
        top_k: Draw among the k most likely tokens only.
        top_p: Draw among the fewest tokens whose probabilities sum to at least p.
        seed: Of the first sample; the next ones take the next seeds.
        num_samples: Continuations, decoded together.

    Returns:
        The text of each sample, prefix and all.

    Raises:
        UserError: The checkpoint cannot be read or an option is out of its range.
    """
    *_, texts = _stream(ckpt, prefix, num_tokens, temperature, top_k, top_p, seed, num_samples)
    return texts


def _stream(
    ckpt: str,
    prefix: str,
    num_tokens: int,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    seed: int,
    num_samples: int,
) -> Iterator[list[str]]:
    if num_samples < 1:
        raise UserError(f"num_samples {num_samples} must be a whole number of at least 1")
    network, codec = load_network(read_checkpoint(ckpt))
    if unknown := codec.unknown(prefix):
        words = ", ".join(map(repr, unknown[:10]))
        print(f"seqlab: the model does not know {words} of the prefix and reads <unk> instead", file=sys.stderr)
    seeds = range(seed, seed + num_samples)
    yield from continue_text(network, codec, prefix, num_tokens, temperature, top_k, top_p, seeds)


def _run(argv: list[str]) -> None:
    parser = Parser(prog="python -m seqlab.generate", description="Lets a trained model continue a text.")
    parser.add_function_arguments(generate, as_positional=True)
    options = parser.parse_sentence(argv).as_dict()
    shown = ""
    for texts in _stream(**options):
        if options["num_samples"] == 1 and not texts[0].endswith("�"):
            print(texts[0].removeprefix(shown), end="", flush=True)
            shown = texts[0]
    if options["num_samples"] == 1:
        print()
    else:
        print("\n\n".join(texts))


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_verb(_run, argv)


if __name__ == "__main__":
    sys.exit(main())
