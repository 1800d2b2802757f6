from math import isnan
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from seqlab.analysis.neighbours_over_runs import over_runs
from seqlab.analysis.vectors_inspection import SKIPPED, VectorsInspection, content_words, inspect_vectors
from seqlab.analysis.word_queries import WordSpace
from seqlab.errors import UserError

WORDS = ["man", "woman", "king", "queen", "stone"]


def space(*rows: list[float], words: list[str] = WORDS) -> WordSpace:
    return WordSpace(words, torch.tensor(rows), str.lower)


ONE = space([1.0, 0], [1, 0.1], [0.9, 0.5], [0.5, 0.5], [-1, 0])
OTHER = space([1.0, 0], [0.4, 0.6], [0.9, 0.5], [1, 0.1], [-1, 0])


def inspect(words: str | None = None, neighbours: int = 2, of: WordSpace = ONE, name: str = "run") -> VectorsInspection:
    return inspect_vectors(of, words, neighbours, "pca", name, "skipgram")


def test_neighbours_carry_their_share_over_runs() -> None:
    found = over_runs([ONE, OTHER], "man", 2)
    assert [*found.nearest] == ["king", "queen"]
    assert [one.share for one in found.nearest.values()] == [1.0, 0.5]
    mean = sum(float(F.cosine_similarity(one.vectors[0], one.vectors[2], dim=0)) for one in (ONE, OTHER)) / 2
    assert found.nearest["king"].cosine == pytest.approx(mean, abs=1e-6)
    assert (found.runs, found.others) == (2, 1)
    assert found.overlap == pytest.approx(1 / 2)
    assert str(found) == "king 2/2 0.87  queen 1/2 0.85; 1 more in some; overlap of two runs 50%"
    assert over_runs([ONE, ONE, OTHER], "man", 2).overlap == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert isnan(over_runs([ONE], "man", 2).overlap)


def test_a_word_that_one_run_lacks_counts_as_far_from_all() -> None:
    smaller = space([1.0, 0], [0.9, 0.5], [-1, 0], words=["man", "king", "stone"])
    found = over_runs([ONE, smaller], "man", 1)
    assert found.nearest["king"].share == found.nearest.get("woman", found.nearest["king"]).share == 0.5
    assert over_runs([ONE, smaller], "man", 3).nearest["woman"].cosine == pytest.approx(
        float(ONE.unit[0] @ ONE.unit[1]) / 2
    )


def test_what_is_said_of_one_and_of_several() -> None:
    said = str(inspect("man, KING"))
    assert said.startswith("run: skipgram\n\nnearest, with cosines\n")
    assert "             man  woman 1.00  king 0.87\n" in said
    assert said.endswith("% of the variance)")
    together = VectorsInspection.together([inspect("man,king"), inspect("man,king", of=OTHER)])
    first, *rows = together.splitlines()
    assert first == "neighbours over 2 runs: in how many each is among the 2 nearest, and its mean cosine"
    assert [row.split()[0] for row in rows] == ["man", "king"]


def test_points_are_drawn_under_their_words(tmp_path: Path) -> None:
    files = VectorsInspection.draw([inspect(), inspect(of=OTHER, name="other")], tmp_path)
    assert [path.name for path in files] == ["run-words.png", "other-words.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in files)


def test_content_words_are_of_letters_and_the_most_frequent_come_last() -> None:
    words = [*map(chr, range(0x4E00, 0x4E00 + SKIPPED)), ",", "river", "bank"]
    assert content_words(words)[:3] == ["river", "bank", words[0]]
    assert len(content_words(words)) == SKIPPED + 2
    assert content_words(["1", "2"]) == ["1", "2"]


@pytest.mark.parametrize(
    ("words", "neighbours", "sentence"),
    [
        ("man,quen", 2, r"'quen' is none of the 5 words with a vector: did you mean 'queen'\?"),
        (" , ", 2, "words ' , ' names none; give words with commas between, such as king,queen"),
        (None, 0, "neighbours 0 must be a whole number of at least 1"),
    ],
)
def test_refusals(words: str | None, neighbours: int, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        inspect(words, neighbours)
