import os
from pathlib import Path

import pytest

from seqlab.data import named
from seqlab.data.download import SOURCES, Unavailable
from seqlab.data.tagged import TaggedData
from seqlab.data.tagged_corpora import SAMPLE, WNUT17, Hello, UDEnglishEWT
from seqlab.data.tagged_files import TaggedLayout, read_tagged
from seqlab.text.schemes import scheme_of, violations

CORPORA = Path(os.environ.get("SEQLAB_DATA") or Path(__file__).parents[2].parent / "shared" / "data")


def corpus(folder: str) -> str:
    if not (CORPORA / folder).is_dir():
        pytest.skip(f"{CORPORA / folder} is not here")
    return str(CORPORA)


def test_emerging_entities() -> None:
    made = WNUT17(root=corpus("wnut17"), scheme="iobes")
    assert (made.corpus_name, made.file_scheme, made.scheme) == ("wnut17", "iob2", "iobes")
    sizes = [len(made.words(split)) for split in ("train", "val", "test")]
    assert sizes == [3_394, 1_009, 1_287]
    begun = [sum(tag[0] in "BS" for tags in made.tags(split) for tag in tags) for split in ("train", "val", "test")]
    assert begun == [1_975, 836, 1_079]
    assert len(made.labels) == 1 + 4 * 6
    again = WNUT17(**{key: value for key, value in made.recipe().items() if key != "name"})
    assert again.tags("val") == made.tags("val")


@pytest.mark.slow
def test_web_text() -> None:
    made = UDEnglishEWT(root=corpus("ud_english_ewt"), tags="xpos")
    assert [len(made.words(split)) for split in ("train", "val", "test")] == [12_544, 2_001, 2_077]
    assert made.num_items() == 204_577
    assert made.recipe()["tags"] == "xpos"


@pytest.mark.parametrize("name", [name for name in SOURCES if name.startswith(("ud_english", "wnut17"))])
def test_the_files_of_the_table(name: str) -> None:
    source = SOURCES[name]
    file = Path(corpus(source.filename.partition("/")[0])) / source.filename
    assert (source.name, file.stat().st_size) == (name, source.size)


def test_the_bundled_sample() -> None:
    parts = read_tagged([SAMPLE], TaggedLayout("conll", tag="upos"))
    names = read_tagged([SAMPLE], TaggedLayout("conll", tag="ner"))
    assert parts.words == names.words
    assert 150 <= len(names) <= 300
    assert len({" ".join(words) for words in names.words}) == len(names)
    assert scheme_of(names.tags) == "iob2"
    assert sum(violations(tags, "iob2") for tags in names.tags) == 0
    kinds = {tag[2:] for tags in names.tags for tag in tags} - {""}
    assert kinds == {"corporation", "creative-work", "group", "location", "person", "product"}
    upos = {
        "ADJ",
        "ADP",
        "ADV",
        "AUX",
        "CCONJ",
        "DET",
        "INTJ",
        "NOUN",
        "NUM",
        "PART",
        "PRON",
        "PROPN",
        "PUNCT",
        "SCONJ",
    }
    assert {tag for tags in parts.tags for tag in tags} <= {*upos, "VERB"}


@pytest.mark.parametrize(("kind", "tags"), [(UDEnglishEWT, 15), (WNUT17, 13)])
def test_the_sample_stands_in_loudly(
    kind: type[TaggedData], tags: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nothing(*_: object) -> Path:
        raise Unavailable("no network")

    monkeypatch.setattr(named, "fetch", nothing)
    monkeypatch.delenv("SEQLAB_DATA", raising=False)
    made = kind()
    assert (made.corpus_name, len(made.labels)) == ("sample", tags)
    assert all(made.has(split) for split in ("train", "val", "test"))
    assert "BUNDLED SAMPLE" in capsys.readouterr().err
    monkeypatch.setenv("SEQLAB_DATA", "/somewhere")
    with pytest.raises(Unavailable):
        kind()


def test_hello() -> None:
    made = Hello()
    assert made.inputs("train") == made.inputs("val") == made.inputs("test") == ["hello"]
    assert (made.words("val"), made.tags("val")) == ([[*"hello"]], [[*"ohlol"]])
    assert (made.labels.names, made.scheme, made.num_items()) == (("h", "l", "o"), None, 5)
