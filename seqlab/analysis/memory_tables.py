"""Results of memory tasks as means over seeds and as Markdown."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from seqlab.analysis.memory_rows import Row

ByLength = Mapping[int, float]


def means(rows: Iterable[Row], value: Callable[[Row], float]) -> dict[str, dict[int, float]]:
    """Means of a value over the seeds, by model and length."""
    found: dict[str, dict[int, list[float]]] = {}
    for row in rows:
        found.setdefault(row.model, {}).setdefault(row.length, []).append(value(row))
    return {
        model: {length: sum(each) / len(each) for length, each in sorted(by_length.items())}
        for model, by_length in found.items()
    }


def markdown_table(lengths: Sequence[int], values: Mapping[str, ByLength], form: str) -> Iterator[str]:
    """Lines of a Markdown table: a row for each name, a column for each length, values in a format like ``.1%``."""
    width = max(map(len, ["cell", *values]))
    yield f"| {'cell':<{width}} |" + "".join(f" {length:>7} |" for length in lengths)
    yield f"|{'-' * (width + 2)}|" + "--------:|" * len(lengths)
    for name, by_length in values.items():
        shown = [format(by_length[length], form) if length in by_length else "" for length in lengths]
        yield f"| {name:<{width}} |" + "".join(f" {word:>7} |" for word in shown)
