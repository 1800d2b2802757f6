import numpy as np
import pytest
import torch

from seqlab.analysis.word_knowledge import Section, answer_analogies, rank_similarity, ranks, spearman
from seqlab.analysis.word_queries import WordSpace, terms_of
from seqlab.errors import UserError
from seqlab.text.word_questions import Judged, Question

WORDS = ["man", "woman", "king", "queen", "stone"]
VECTORS = torch.tensor([[1.0, 0, 1, 0], [0, 1, 1, 0], [2, 0, 0, 2], [0, 1, 0, 1], [-1, -1, 0, 0]])
SPACE = WordSpace(WORDS, VECTORS, str.lower)


def test_terms_have_signs() -> None:
    assert terms_of("king - man + woman") == [("king", 1.0), ("man", -1.0), ("woman", 1.0)]
    assert terms_of("time traveller") == [("time", 1.0), ("traveller", 1.0)]
    assert terms_of("- e-mail") == [("e-mail", -1.0)]


@pytest.mark.parametrize("query", ["", "king -", "king + - man", "+"])
def test_a_query_without_words_is_refused(query: str) -> None:
    with pytest.raises(UserError, match="must be words with \\+ or - between"):
        terms_of(query)


def test_neighbours_are_by_cosine_and_not_the_words_asked() -> None:
    near = SPACE.near("king - man + woman", 2).neighbours
    assert [*near] == ["queen", "stone"]
    assert near["queen"] == pytest.approx(1.0)
    assert str(SPACE.near("man", 1)) in ("woman 0.500", "king 0.500")
    assert len(SPACE.near("man", 99).neighbours) == 4
    assert SPACE.near("MAN", 1) == SPACE.near("man", 1)._replace(query="MAN")


def test_an_unknown_word_has_the_nearest_spelling() -> None:
    with pytest.raises(UserError, match=r"^'quen' is none of the 5 words with a vector: did you mean 'queen'\?$"):
        SPACE.near("quen", 1)
    with pytest.raises(UserError, match="ask for a word of the training text"):
        SPACE.near("xyzzy", 1)
    with pytest.raises(UserError, match="neighbours 0 must be a whole number of at least 1"):
        SPACE.near("man", 0)


def test_analogies_are_counted_by_section() -> None:
    questions = [
        Question("royal", "man", "King", "woman", "queen"),
        Question("royal", "man", "king", "woman", "stone"),
        Question("royal", "man", "king", "woman", "unknown"),
        Question("none", "a", "b", "c", "d"),
    ]
    found = answer_analogies(SPACE, questions)
    assert found.sections == [Section("royal", 1, 2, 3), Section("none", 0, 0, 1)]
    assert found.all() == Section("all", 1, 2, 4)
    assert str(found.all()) == "50.00% right of 2 covered, of 4"
    assert str(found.sections[1]) == "none right of 0 covered, of 1"


def test_equal_values_share_ranks() -> None:
    assert ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [3.5, 1.0, 3.5, 2.0]
    x, y = np.array([1.0, 2, 3, 4, 5]), np.array([5.0, 6, 7, 8, 7])
    assert spearman(x, y) == pytest.approx(0.8207826816681233)  # scipy.stats.spearmanr
    assert spearman(x, -x) == pytest.approx(-1.0)
    assert np.isnan(spearman(x, np.ones(5)))


def test_similarity_follows_judgements() -> None:
    judged = [Judged("man", "woman", 8.0), Judged("king", "queen", 6.0), Judged("man", "stone", 1.0)]
    found = rank_similarity(SPACE, [*judged, Judged("man", "unknown", 2.0)])
    assert found.spearman == pytest.approx(spearman(np.array([0.5, 0.5, -0.5]), np.array([8.0, 6.0, 1.0])))
    assert (found.covered, found.pairs) == (3, 4)
    assert found.low <= found.spearman <= found.high
    with pytest.raises(UserError, match="of 1 pairs fewer than two have words with vectors"):
        rank_similarity(SPACE, judged[:1])
