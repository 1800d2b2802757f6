import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest
from file_server import Server, server

from seqlab.data import download, labelled_corpora, named
from seqlab.data.download import SOURCES, Unavailable, fetch
from seqlab.data.labelled import LabelledData
from seqlab.data.labelled_corpora import QUESTIONS, REVIEWS, RtPolarity, Trec
from seqlab.data.loader import Shard

CORPORA = Path(os.environ.get("SEQLAB_DATA") or Path(__file__).parents[2].parent / "shared" / "data")
__all__ = ["server"]

NAMES = "rt_polarity_pos", "rt_polarity_neg", "trec_train", "trec_test"


def corpus(folder: str) -> Path:
    if not (CORPORA / folder).is_dir():
        pytest.skip(f"{CORPORA / folder} is not here")
    return CORPORA


def test_film_reviews() -> None:
    made = RtPolarity(root=str(corpus("rt_polarity")))
    assert made.corpus_name == "rt_polarity"
    assert made.codecs["label"].names == ("neg", "pos")
    labels = [label for split in ("train", "val", "test") for label in made.labels(split)]
    assert (len(labels), labels.count("pos")) == (10_662, 5_331)
    for split, size in (("val", 1066), ("test", 1066)):
        assert len(made.texts(split)) == pytest.approx(size, abs=5)
        assert made.labels(split).count("pos") == pytest.approx(size / 2, abs=5)
    first = "the rock is destined to be the 21st century's new"
    assert sum(text.startswith(first) for split in ("train", "val", "test") for text in made.texts(split)) == 1
    assert made.describe().startswith(
        "8,530 texts of 2 classes to train on (neg 4,265, pos 4,265), 1,066 to validate on"
    )
    batches = made.train_batches(Shard())
    padded = real = 0
    for index in range(0, len(batches), 10):
        batch = batches.batch(0, index)
        assert 0 < batch.labels.sum() < len(batch.labels)
        padded += batch.ids.numel()
        real += int(batch.lengths.sum())
    assert 1 - real / padded < 0.05


def test_folds_of_film_reviews() -> None:
    root = str(corpus("rt_polarity"))
    tests = [text for fold in (0, 1) for text in RtPolarity(root=root, folds=2, fold=fold).texts("test")]
    assert len(tests) == 10_662


@pytest.mark.parametrize(("fine", "classes"), [(False, 6), (True, 50)])
def test_questions(fine: bool, classes: int) -> None:
    made = Trec(root=str(corpus("trec")), fine=fine)
    assert made.corpus_name == "trec"
    assert len(made.texts("train")) + len(made.texts("val")) == 5_452
    assert len(made.texts("val")) == pytest.approx(545, abs=3)
    assert len(made.texts("test")) == 500
    assert len({label for split in ("train", "val", "test") for label in made.labels(split)}) == classes
    assert made.texts("test")[0] == "How far is it from Denver to Aspen ?"
    assert made.labels("test")[0] == ("NUM:dist" if fine else "NUM")
    assert "10 of the test texts also among those to train on" in made.describe()
    assert made.recipe()["fine"] is fine
    again = Trec(**{key: value for key, value in made.recipe().items() if key != "name"})  # type: ignore[arg-type]
    assert again.texts("val") == made.texts("val")


@pytest.mark.parametrize("name", NAMES)
def test_the_files_of_the_table(name: str, tmp_path: Path) -> None:
    source = SOURCES[name]
    own = corpus(source.filename.partition("/")[0]) / source.filename
    assert source.name == name
    assert own.stat().st_size == source.size
    beside = tmp_path / own.name
    beside.write_bytes(own.read_bytes())
    assert fetch(source, tmp_path) == beside
    assert [path.name for path in tmp_path.iterdir()] == [own.name]


@pytest.mark.parametrize(
    ("path", "count", "labels"), [(REVIEWS, 300, 2), (QUESTIONS, 200, 6)], ids=["reviews", "questions"]
)
def test_the_bundled_samples(path: Path, count: int, labels: int) -> None:
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == len({text.lower() for text, _ in rows}) == count
    assert len({label for _, label in rows}) == labels
    assert min(sum(label == each for _, label in rows) for each in {label for _, label in rows}) >= 20


@pytest.mark.parametrize(("kind", "classes"), [(RtPolarity, 2), (Trec, 6)])
def test_the_sample_stands_in_loudly(
    kind: type[LabelledData], classes: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nothing(*_: object) -> Path:
        raise Unavailable("no network")

    monkeypatch.setattr(named, "fetch", nothing)
    monkeypatch.delenv("SEQLAB_DATA", raising=False)
    made = kind()
    assert made.corpus_name == "sample"
    assert made.codecs["label"].vocab_size == classes
    assert all(made.has(split) for split in ("train", "val", "test"))
    assert "BUNDLED SAMPLE" in capsys.readouterr().err
    monkeypatch.setenv("SEQLAB_DATA", "/somewhere")
    with pytest.raises(Unavailable):
        kind()


def archive(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


PRAISE, BLAME = b"a good film\nfine caf\xe9\nlovely\n", b"a bad film\nawful\x85 thing\nugly\n"


@pytest.fixture
def table(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Small corpora of reviews and questions on the server, in the place of the real ones."""
    reviews = {f"rt-polaritydata/rt-polarity.{end}": text for end, text in (("pos", PRAISE), ("neg", BLAME))}
    train, test = b"LOC:city Where is Rome ?\nNUM:date When ?\nHUM:ind Who ?\n", b"LOC:other Where is caf\xe9 ?\n"
    server.files = {"/rt.tar.gz": archive(reviews), "/train": train, "/test": test}
    rows = {
        "rt_polarity_pos": server.source("rt_polarity_pos", "/rt.tar.gz", PRAISE),
        "rt_polarity_neg": server.source("rt_polarity_neg", "/rt.tar.gz", BLAME),
        "trec_train": server.source("trec_train", "/train", train),
        "trec_test": server.source("trec_test", "/test", test),
    }
    for name, row in rows.items():
        monkeypatch.setitem(SOURCES, name, row)
    return server


def files_of(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and path.suffix != ".lock")


def test_reviews_are_downloaded_once_out_of_their_archive(table: Server, tmp_path: Path) -> None:
    for _ in range(2):
        made = RtPolarity(root=str(tmp_path), val_fraction=0, test_fraction=0, min_freq=0)
        assert made.texts("train") == ["a good film", "fine café", "lovely", "a bad film", "awful\x85 thing", "ugly"]
        assert made.labels("train") == ["pos"] * 3 + ["neg"] * 3
    assert files_of(tmp_path) == ["rt_polarity/rt-polarity.neg", "rt_polarity/rt-polarity.pos"]
    assert table.asked == ["/rt.tar.gz"] * 2


def test_questions_are_downloaded(table: Server, tmp_path: Path) -> None:
    made = Trec(root=str(tmp_path), val_fraction=0, min_freq=0)
    assert made.texts("train") == ["Where is Rome ?", "When ?", "Who ?"]
    assert (made.texts("test"), made.labels("test")) == (["Where is café ?"], ["LOC"])
    assert Trec(root=str(tmp_path), val_fraction=0, min_freq=0, fine=True).labels("test") == ["LOC:other"]
    assert files_of(tmp_path) == ["trec/TREC.test", "trec/TREC.train"]
    assert table.asked == ["/train", "/test"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"no archive", "what it sends cannot be unpacked"),
        (archive({"rt-polaritydata/rt-polarity.pos": PRAISE})[:-30], "what it sends cannot be unpacked"),
        (archive({"rt-polarity.pos": PRAISE}), "the archive that it sends has no rt-polaritydata/rt-polarity.pos"),
        (
            archive({"rt-polaritydata/rt-polarity.pos": BLAME}),
            "the archive that it sends has a rt-polaritydata/rt-polarity.pos of sha1 "
            + hashlib.sha1(BLAME).hexdigest(),
        ),
        (archive({"../rt-polarity.pos": PRAISE}), "what it sends cannot be unpacked"),
    ],
    ids=["none", "cut", "without the file", "with another file", "that leads away"],
)
def test_a_wrong_archive_is_refused(table: Server, tmp_path: Path, body: bytes, words: str) -> None:
    table.files["/rt.tar.gz"] = body
    with pytest.raises(Unavailable) as caught:
        RtPolarity(root=str(tmp_path))
    source = SOURCES["rt_polarity_pos"]
    assert str(caught.value) == (
        f"cannot download rt_polarity_pos from {source.url}: {words}; put rt-polarity.pos (sha1 {source.digest}) into "
        f"{tmp_path / 'rt_polarity'}, or name a folder that has it with --data.root or SEQLAB_DATA"
    )
    assert files_of(tmp_path) == []
    assert len(table.asked) == 1


def test_a_wrong_file_is_refused(table: Server, tmp_path: Path) -> None:
    table.files["/train"] = table.files["/train"].replace(b"Rome", b"Oslo")
    (tmp_path / "TREC.train").write_bytes(b"mine")
    with pytest.raises(Unavailable, match="TREC.train has sha1 .*, not .*the file that it sends has sha1") as caught:
        Trec(root=str(tmp_path))
    assert f"put TREC.train (sha1 {SOURCES['trec_train'].digest}) into {tmp_path}, or" in str(caught.value)
    assert (tmp_path / "TREC.train").read_bytes() == b"mine"


def test_an_archive_larger_than_allowed_is_given_up(
    table: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "MOST_BYTES", 100)
    monkeypatch.setattr(download, "CHUNK", 16)
    table.files["/rt.tar.gz"] = bytes(range(256)) * 100
    with pytest.raises(Unavailable, match="what it sends cannot be unpacked"):
        RtPolarity(root=str(tmp_path))


def test_samples_are_those_of_the_package() -> None:
    assert {path.name for path in labelled_corpora.SAMPLES.iterdir()} >= {REVIEWS.name, QUESTIONS.name}
