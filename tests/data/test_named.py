from pathlib import Path

import pytest

from seqlab.data import named
from seqlab.data.download import Source, Unavailable
from seqlab.data.named import verified_or_sample

SAMPLE = Path("sample.tsv")


@pytest.fixture
def has(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The named files that can be had."""
    found: set[str] = set()

    def fetch(source: Source, root: Path | None) -> Path:
        if source.name not in found:
            raise Unavailable(f"no {source.name}")
        return Path(root or "cache") / source.filename

    monkeypatch.setattr(named, "fetch", fetch)
    monkeypatch.delenv("SEQLAB_DATA", raising=False)
    return found


NAMES = "trec_train", "trec_test"


def test_the_verified_files_in_the_order_of_their_names(has: set[str], capsys: pytest.CaptureFixture[str]) -> None:
    has |= {*NAMES}
    expected = [Path("here/trec/TREC.train"), Path("here/trec/TREC.test")]
    assert verified_or_sample(NAMES, Path("here"), SAMPLE, "TREC") == (expected, True)
    assert verified_or_sample(NAMES[::-1], Path("here"), SAMPLE, "TREC") == (expected[::-1], True)
    assert capsys.readouterr().err == ""


def test_the_sample_stands_in_once_and_loudly(has: set[str], capsys: pytest.CaptureFixture[str]) -> None:
    has |= {"trec_train"}
    assert verified_or_sample(NAMES, None, SAMPLE, "The corpus") == ([SAMPLE], False)
    err = capsys.readouterr().err
    assert err.count("BUNDLED SAMPLE") == 1
    assert "The corpus is not here" in err
    assert "Reason: no trec_test" in err


def test_a_folder_that_the_user_named_is_meant(has: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unavailable, match="^no trec_train$"):
        verified_or_sample(NAMES, Path("here"), SAMPLE, "TREC")
    monkeypatch.setenv("SEQLAB_DATA", "/somewhere")
    with pytest.raises(Unavailable, match="^no trec_train$"):
        verified_or_sample(NAMES, None, SAMPLE, "TREC")
