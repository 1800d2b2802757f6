"""``python -m seqlab.corpus --data.tokens word``: token statistics of a text."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqlab import VERBS
from seqlab.cli.parser import Parser, pick, spell_choices, values_of
from seqlab.cli.process import run_verb
from seqlab.cli.recipes import data_of
from seqlab.data import DATA
from seqlab.data.text import TextData
from seqlab.errors import UserError
from seqlab.text.codec import Codec
from seqlab.text.statistics import Zipf, coverage, round_sizes, zipf

ORDERS = (1, 2, 3)
TEXTS = [name for name, kind in DATA.items() if issubclass(kind, TextData)]
USAGE = "python -m seqlab.corpus [--OPTION VALUE ...]"
EXAMPLES = (
    "python -m seqlab.corpus",
    "python -m seqlab.corpus --data text --data.path book.txt --data.tokens word --output figures",
)


@dataclass(frozen=True)
class Statistics:
    """Token statistics of a text.

    Args:
        corpus: Name of the corpus.
        ids: Its tokens ``(tokens,)``.
        characters: Number of characters of cleaned text.
        codec: Codec of the text.
        laws: Counts and Zipf's law of its 1-, 2- and 3-grams.
        num_frequent: Number of most frequent tokens to show.
    """

    corpus: str
    ids: NDArray[Any]
    characters: int
    codec: Codec
    laws: list[Zipf]
    num_frequent: int

    def __str__(self) -> str:
        counts = self.laws[0].counts
        sizes = round_sizes(len(counts))
        unknown = int((self.ids == self.codec.vocab.unk).sum())
        kind = self.codec.tokenizer.name
        rows = {
            "corpus": f"{self.corpus}, {self.characters:,} characters",
            "tokens": f"{len(self.ids):,} ({kind}), {unknown:,} of them <unk>",
            "vocabulary": f"{len(counts):,} distinct, {_hapaxes(self.laws[0])}",
            "most frequent": self._frequent(),
        }
        lines = [f"{name:<16}{value}" for name, value in rows.items()]
        lines += ["", "The most frequent tokens make up this share of the text:", f"{'vocabulary':>12}  coverage"]
        lines += [f"{n:>12,}{share:>10.2%}" for n, share in zip(sizes, coverage(counts, sizes), strict=True)]
        lines += ["", "Zipf's law, p(rank) ~ rank^-s, s by maximum likelihood over all ranks:"]
        lines += [f"{'n-grams':>8}{'distinct':>12}{'once':>12}{'s':>8}"]
        for law in self.laws:
            lines += [f"{law.order:>8}{len(law.counts):>12,}{law.hapaxes:>12,}{law.exponent:>8.3f}"]
        return "\n".join(lines)

    def _frequent(self) -> str:
        counts = np.bincount(self.ids)
        ranked = np.argsort(-counts, kind="stable")[: self.num_frequent]
        tokens = self.codec.vocab.tokens(ranked.tolist())
        shown = [token if token.isprintable() and token.strip() else repr(token) for token in tokens]
        return "  ".join(f"{token} {counts[i]:,}" for token, i in zip(shown, ranked, strict=True) if counts[i])


def _hapaxes(law: Zipf) -> str:
    return f"{law.hapaxes:,} of them ({law.hapaxes / len(law.counts):.1%}) seen once"


def corpus(data: dict[str, Any] | None = None, num_frequent: int = 10) -> Statistics:
    """Counts the whole text of a corpus, before it is cut into parts; for a corpus that comes in parts, the first part.

    Args:
        data: Options of the data; ``name`` chooses the corpus.
        num_frequent: Number of most frequent tokens to show.

    Raises:
        UserError: The text cannot be read, or is empty.
    """
    if num_frequent < 1:
        raise UserError(f"num_frequent {num_frequent} must be a whole number of at least 1")
    chosen = {"name": "time_machine", **(data or {})}
    kind = DATA[pick("data", chosen["name"], TEXTS)]
    whole = {name: value for name, value in kind.whole.items() if name not in kind.answered}
    text = data_of({**chosen, **whole}, TEXTS)
    assert isinstance(text, TextData)
    ids, characters = text.part("train")
    laws = [zipf(ids, order) for order in ORDERS if len(ids) >= order]
    return Statistics(text.corpus_name, ids, characters, text.codec, laws, num_frequent)


def draw(statistics: Statistics, path: Path) -> None:
    """Draws the occurrences of n-grams against their rank, with the fitted laws, as a PNG file.

    Raises:
        UserError: The file cannot be written.
    """
    from seqlab.figures import new_figure, save_figure  # imports matplotlib, which is slow

    figure, axes = new_figure(6.4, 4.8)
    for law in statistics.laws:
        ranks = np.arange(1, len(law.counts) + 1)
        (points,) = axes.plot(ranks, law.counts, ".", markersize=3, label=f"{law.order}-grams, s = {law.exponent:.2f}")
        axes.plot(ranks, law.expected(), "--", linewidth=1, color=points.get_color())
    axes.set(xscale="log", yscale="log", xlabel="rank", ylabel="occurrences", ylim=(0.5, None))
    axes.set_title(f"{statistics.corpus}: n-grams of {statistics.codec.tokenizer.name} tokens, with Zipf's law dashed")
    axes.legend()
    save_figure(figure, path)


def _run(argv: list[str]) -> None:
    arguments = spell_choices(argv, ["data"])
    parser = Parser(usage=USAGE, description=VERBS["corpus"], examples=EXAMPLES)
    name = pick("data", (values_of(arguments, "data.name") or ["time_machine"])[-1], TEXTS)
    parser.add_argument("--data.name", type=str, default=name, metavar="NAME", help=f"{' | '.join(TEXTS)}.")
    kind = DATA[name]
    unread = {*kind.UNASKED, *kind.of_training, *kind.of_batches, *kind.of_splits, *kind.held_out}
    parser.add_class_arguments(kind, "data", instantiate=False, skip={*unread})
    parser.add_argument("--num_frequent", type=int, default=10, help="Number of most frequent tokens to show.")
    parser.add_argument("--output", type=str | None, help="Folder for the rank plot, zipf-CORPUS-TOKENS.png.")
    config = parser.parse_sentence(arguments)
    statistics = corpus(config.data.as_dict(), config.num_frequent)
    print(statistics)
    if config.output is not None:
        file = Path(config.output) / f"zipf-{statistics.corpus}-{statistics.codec.tokenizer.name}.png"
        draw(statistics, file)
        print(f"\nFigure: {file}")


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_verb(_run, argv)


if __name__ == "__main__":
    sys.exit(main())
