import pytest

from seqlab.metrics import Score
from seqlab.models.translation_report import Bucket, TranslationReport, buckets_of


def test_sentences_by_the_length_of_their_source() -> None:
    sources = ["a b c d", "a b c d e", "a", "a b c d e f g h i j"]
    said = ["the cat sat on the mat", "all wrong and nothing else", "the cat sat on the mat", "so it is now and then"]
    wanted = ["the cat sat on the mat", "no word of it is right", "the cat sat on the mat", "so it is now and then"]
    found = buckets_of(sources, said, wanted)
    assert [(one.name, one.sentences) for one in found] == [
        ("1 to 4 words", 2),
        ("5 to 6 words", 1),
        ("10 or more words", 1),
    ]
    assert [one.bleu for one in found] == [pytest.approx(100), pytest.approx(0, abs=10), pytest.approx(100)]


def test_what_is_printed() -> None:
    made = TranslationReport(
        corpus="pairs",
        split="val",
        loss=0.0,
        count=30,
        seconds=2.0,
        measures={},
        sentences=10,
        bleu=Score(12.345, "s|v:1"),
        chrf=Score(50.0, "c"),
        bleu_book=0.25,
        buckets=[Bucket("1 to 4 words", 1200, 20.0)],
        search="greedy",
    )
    assert (made.tokens, made.perplexity) == (30, 1)
    rows = made.rows()
    assert rows["BLEU"] == "12.35   s|v:1"
    assert rows["the book's BLEU"] == "25.00, mean of sentences, bigrams"
    assert rows["BLEU, 1 to 4 words"] == "20.00   1,200 sentences"
    assert rows["counted"] == "10 sentences, 30 target tokens, each once"
    assert rows["time"] == "2.0 s, 5 sentences/s"
