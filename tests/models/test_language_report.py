import math

import pytest

from seqlab.models.language_report import LanguageReport


def report(loss: float) -> LanguageReport:
    return LanguageReport(
        corpus="story",
        split="test",
        loss=loss,
        count=50,
        seconds=0.5,
        measures={},
        unknown=3,
        characters=200,
        streams=1,
        state="carried through 1 stream, zero at the start of each",
    )


def test_numbers_by_hand() -> None:
    """Two bits for each of 50 tokens, over 200 characters."""
    made = report(2 * math.log(2))
    assert (made.tokens, made.perplexity) == (50, pytest.approx(4))
    assert (made.bits_per_token, made.bits_per_character) == (pytest.approx(2), pytest.approx(0.5))
    rows = made.rows()
    assert rows["corpus"] == "story, test part"
    assert rows["counted"] == "50 tokens, each once (3 of them <unk>), standing for 200 characters"
    assert rows["state"] == "carried through 1 stream, zero at the start of each"
    assert rows["time"] == "0.5 s, 100 tokens/s"


def test_a_text_that_the_model_holds_for_impossible() -> None:
    made = report(math.inf)
    assert made.perplexity == math.inf
    assert made.rows()["perplexity"].startswith("inf: the text holds tokens to which the unsmoothed model gives")
