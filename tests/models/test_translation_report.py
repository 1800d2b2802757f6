from collections.abc import Sequence
from pathlib import Path

import pytest

from seqlab.data.parallel import ParallelData
from seqlab.decoding.translation import Translation
from seqlab.errors import UserError
from seqlab.metrics import Score
from seqlab.models.translation_report import Bucket, Losses, TranslationReport, buckets_of, report_of, tokenization


def test_sentences_by_the_length_of_their_source() -> None:
    sources = ["a b c d", "a b c d e", "a", "a b c d e f g h i j"]
    said = ["the cat sat on the mat", "all wrong and nothing else", "the cat sat on the mat", "so it is now and then"]
    wanted = ["the cat sat on the mat", "no word of it is right", "the cat sat on the mat", "so it is now and then"]
    found = buckets_of(sources, said, wanted, "13a")
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


def test_references_too_short_for_bleu_are_told_apart_from_wrong_translations(tmp_path: Path) -> None:
    def rows(*targets: str, said: Sequence[str] = ()) -> dict[str, str]:
        (tmp_path / "pairs.tsv").write_text("".join(f"a\t{target}\n" for target in targets), encoding="utf-8")
        data = ParallelData(str(tmp_path / "pairs.tsv"), min_freq=0, val_fraction=0, test_fraction=0)
        found = [Translation(text, 0.0, [], [], None) for text in said or targets]
        losses, codec = Losses(0.0, 1, None), data.target_codec
        return report_of(
            data, "train", losses, data.pairs("train"), found, codec, seconds=1, search="", tokenize=None
        ).rows()

    short = rows("je dors .", "cours !")
    assert short["BLEU"].startswith("0.00 ")
    assert short["BLEU is 0"] == (
        "no reference has 4 words, as BLEU needs, so BLEU is 0 for any translation; see chrF2 instead"
    )
    assert short["BLEU, 1 to 4 words"] == "0.00   2 sentences, no reference of 4 words"
    assert "BLEU ceiling" not in short
    long = rows("je dors ici .", "cours !")
    assert long["BLEU"].startswith("100.00 ")
    assert "BLEU is 0" not in long
    wrong = rows("je dors ici .", said=["quatre mots de travers"])
    assert "BLEU is 0" not in wrong
    assert wrong["BLEU, 1 to 4 words"].endswith(" 1 sentences")


TEXTS = {"zh": "他们在这里。", "char": "กำลังทำ", "13a": "Über die Brücke."}


@pytest.mark.parametrize("name", TEXTS)
def test_the_script_tells_how_bleu_cuts_words_where_no_language_is_named(name: str) -> None:
    assert tokenization(None, None, [TEXTS[name]]) == name


@pytest.mark.parametrize(("language", "name"), [("zh", "zh"), ("cmn", "zh"), ("de", "13a"), ("th", "char")])
def test_the_language_tells_how_bleu_cuts_words(language: str, name: str) -> None:
    assert tokenization(None, language, ["a b"]) == name
    assert tokenization("intl", language, ["a b"]) == "intl"


def test_what_sacrebleu_lacks_is_said() -> None:
    pytest.importorskip("sacrebleu")
    try:
        import MeCab  # noqa: F401
    except ImportError:
        assert tokenization(None, "ja", ["a b"]) == "char"
        with pytest.raises(UserError, match=r"^tokenize 'ja-mecab' does not work: .*; or give another --tokenize$"):
            tokenization("ja-mecab", None, ["a b"])
