"""Edit distance of two sequences."""

from collections.abc import Hashable, Sequence


def edit_distance(said: Sequence[Hashable], wanted: Sequence[Hashable]) -> int:
    """The fewest insertions, deletions and replacements that turn one sequence into the other (Levenshtein 1966).

    d[i, j] = min(d[i - 1, j] + 1, d[i, j - 1] + 1, d[i - 1, j - 1] + (said[i] != wanted[j]))
    """
    row = [*range(len(wanted) + 1)]
    for place, sign in enumerate(said, 1):
        before, row[0] = row[0], place
        for column, other in enumerate(wanted, 1):
            before, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, before + (sign != other))
    return row[-1]
