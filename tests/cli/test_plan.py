import pytest

from seqlab.cli.plan import choose, plan
from seqlab.errors import UserError


@pytest.mark.parametrize(
    ("model", "data", "chosen"),
    [
        (None, None, ("language", "gru", "time_machine")),
        ("lstm", None, ("language", "lstm", "time_machine")),
        (None, "text", ("language", "gru", "text")),
        (None, "fra_eng", ("translation", "seq2seq", "fra_eng")),
        ("seq2seq", None, ("translation", "seq2seq", "fra_eng")),
        ("gru", "fra-eng", ("translation", "gru", "fra_eng")),
        ("ibm1", None, ("translation", "ibm1", "fra_eng")),
        (None, "trec", ("classification", "bag", "trec")),
        ("GRU", "trec", ("classification", "gru", "trec")),
        ("cnn", None, ("classification", "cnn", "rt_polarity")),
        ("naive-bayes", "labelled", ("classification", "naive_bayes", "labelled")),
    ],
)
def test_the_two_words_imply_each_other(model: str | None, data: str | None, chosen: tuple[str, str, str]) -> None:
    assert choose(model, data) == chosen


@pytest.mark.parametrize(
    ("model", "data", "words"),
    [
        ("seq2seq", "text", "--model seq2seq does not read --data text; it reads fra_eng, parallel, and text is for"),
        ("ngram", "trec", "--model ngram does not read --data trec; it reads time_machine, text, ptb, wikitext2, five"),
        ("gruu", None, "unknown model 'gruu': did you mean 'gru'"),
        (None, "trek", "unknown data 'trek': did you mean 'trec'"),
    ],
)
def test_pairs_that_mean_nothing_are_refused(model: str | None, data: str | None, words: str) -> None:
    with pytest.raises(UserError, match=words):
        choose(model, data)


def test_a_name_sets_its_cell() -> None:
    assert plan(["--model", "gru_before"]).network.sets == {"cell": "gru_before"}
    assert plan(["--data", "fra_eng"]).network.sets == {}
