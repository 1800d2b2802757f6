import random

import pytest
from torchmetrics.text import CharErrorRate

from seqlab.text.edits import edit_distance


@pytest.mark.parametrize(
    ("said", "wanted", "edits"),
    [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2), ("aab", "ab", 1)],
)
def test_known_distances(said: str, wanted: str, edits: int) -> None:
    assert edit_distance(said, wanted) == edits == edit_distance(wanted, said)


def test_it_counts_as_torchmetrics_does() -> None:
    rng = random.Random(0)
    pairs = [["".join(rng.choices("0123", k=rng.randint(1, 7))) for _ in range(2)] for _ in range(50)]
    rate = float(CharErrorRate()([said for said, _ in pairs], [wanted for _, wanted in pairs]))
    total = sum(edit_distance(said, wanted) for said, wanted in pairs)
    assert total / sum(len(wanted) for _, wanted in pairs) == pytest.approx(rate)
