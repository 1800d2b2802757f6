import io
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from conftest import Command
from file_server import Server, server

from seqlab.data import DATA, named
from seqlab.data.download import SOURCES, Unavailable
from seqlab.data.parts import SPLITS
from seqlab.data.text import TextData
from seqlab.data.text_corpora import FiveSentences, PennTreebank, TimeMachine, WikiText2

__all__ = ["server"]

STORY = str(Path(__file__).parents[1] / "fixtures" / "story.txt")
ROOT = Path(os.environ.get("SEQLAB_DATA") or Path(__file__).parents[2].parent / "shared" / "data")
SMALL = {"batch_size": 4, "num_steps": 10}


@pytest.fixture
def time_machine_root() -> str:
    if not (ROOT / "timemachine.txt").is_file():
        pytest.skip(f"{ROOT / 'timemachine.txt'} is not here")
    return str(ROOT)


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Time Machine can be had nowhere, and nobody named a folder."""

    def fail(source: object, root: Path | None = None) -> Path:
        raise Unavailable("cannot download time_machine: no connection; put it there")

    monkeypatch.delenv("SEQLAB_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(named, "fetch", fail)


def test_facts_of_the_time_machine(time_machine_root: str) -> None:
    data = TimeMachine(root=time_machine_root)
    assert data.corpus_name == "time_machine"
    assert data.vocab_size == 28
    assert sum(len(part.ids) for part in data.corpus.parts.values()) == 170_580
    assert sum(part.characters for part in data.corpus.parts.values()) == 170_580
    assert data.codec.decode(data.part("train").ids[:49]) == "the time machine by h g wellsithe time traveller "
    assert data.prompt == "time traveller"


def test_words_of_the_time_machine(time_machine_root: str) -> None:
    data = TimeMachine(root=time_machine_root, tokens="word", val_fraction=0, test_fraction=0)
    assert len(data.part("train").ids) == 32_775
    assert data.vocab_size == 4_580  # with <unk>
    frequencies = data.codec.vocab.frequencies[:4]
    assert frequencies == [("the", 2261), ("i", 1267), ("and", 1245), ("of", 1155)]


def test_a_recipe_of_the_time_machine(time_machine_root: str) -> None:
    data = TimeMachine(root=time_machine_root, cleaning="letters", max_tokens=5000, **SMALL)
    recipe = data.recipe()
    assert {key: recipe[key] for key in ("name", "cleaning", "max_tokens")} == {
        "name": "time_machine",
        "cleaning": "letters",
        "max_tokens": 5000,
    }
    assert ids_of(DATA[str(recipe.pop("name"))](**recipe)) == ids_of(data)  # type: ignore[arg-type]


@pytest.mark.usefixtures("nowhere")
def test_the_sample_stands_in_with_a_loud_warning(capsys: pytest.CaptureFixture[str]) -> None:
    data = TimeMachine(**SMALL)
    said = capsys.readouterr().err
    assert said.count("!" * 100) == 2
    assert "The Time Machine is not here. Going on with the BUNDLED SAMPLE" in said
    assert "numbers from this run are not numbers of The Time Machine." in said
    assert "Reason: cannot download time_machine: no connection; put it there" in said
    assert data.corpus_name == "sample"
    assert data.prompt is not None
    assert TimeMachine.prompt == "time traveller"
    assert data.codec.unknown(data.prompt) == []
    assert data.codec.clean(data.prompt) in data.codec.decode(data.part("train").ids)
    assert all(ids_of(data).values())


@pytest.mark.usefixtures("nowhere")
def test_no_sample_where_a_folder_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unavailable, match="^cannot download time_machine: no connection; put it there$"):
        TimeMachine(root=str(tmp_path))
    monkeypatch.setenv("SEQLAB_DATA", str(tmp_path))
    with pytest.raises(Unavailable, match="^cannot download time_machine"):
        TimeMachine()


def test_fetch_is_asked_with_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, Path | None]] = []

    def fetch(source: Any, root: Path | None) -> Path:
        asked.append((source.name, root))
        return Path(STORY)

    monkeypatch.setattr(named, "fetch", fetch)
    TimeMachine(root=str(tmp_path))
    TimeMachine()
    assert asked == [("time_machine", tmp_path), ("time_machine", None)]


def ids_of(data: TextData) -> dict[str, list[int]]:
    return {split: data.part(split).ids.tolist() for split in SPLITS if data.has(split)}


PARTS = {
    "train": b" the cat sat on the <unk> \n the dog sat on N mats \n",
    "valid": b" the dog sat \n",
    "test": b" the bird sat on the cat \n",
}
"""As the benchmarks come: each line begins and ends with a space."""


@pytest.fixture
def benchmarks(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Small benchmarks on the server, in the place of the real ones."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for part, text in PARTS.items():
            archive.writestr(f"wikitext-2/wiki.{part}.tokens", text)
    server.files = {f"/ptb.{part}.txt": text for part, text in PARTS.items()} | {"/wikitext.zip": packed.getvalue()}
    for part, text in PARTS.items():
        for name, path in ((f"ptb_{part}", f"/ptb.{part}.txt"), (f"wikitext2_{part}", "/wikitext.zip")):
            monkeypatch.setitem(SOURCES, name, server.source(name, path, text))
    return server


@pytest.mark.parametrize(("kind", "asked"), [(PennTreebank, 3), (WikiText2, 3)])
def test_benchmarks_are_downloaded_once_and_read_as_published(
    benchmarks: Server, tmp_path: Path, kind: type[TextData], asked: int
) -> None:
    for _ in range(2):
        data = kind(root=str(tmp_path))
        assert data.corpus_name == kind.data_name
        decoded = {split: data.codec.vocab.tokens(ids) for split, ids in ids_of(data).items()}
        assert {split: " ".join(tokens) for split, tokens in decoded.items()} == {
            "train": "the cat sat on the <unk> <eos> the dog sat on N mats <eos>",
            "val": "the dog sat <eos>",
            "test": "the <unk> sat on the cat <eos>",
        }
        assert data.vocab_size == 9
    assert len(benchmarks.asked) == asked


@pytest.mark.parametrize("folder", [".", "ptb"])
def test_files_that_the_user_has(benchmarks: Server, tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir(exist_ok=True)
    for part, text in PARTS.items():
        (tmp_path / folder / f"ptb.{part}.txt").write_bytes(text)
    assert PennTreebank(root=str(tmp_path)).num_items() == 14
    assert benchmarks.asked == []


def test_other_files_of_these_names_are_refused(benchmarks: Server, tmp_path: Path) -> None:
    benchmarks.files["/ptb.valid.txt"] = b"something else"
    with pytest.raises(Unavailable, match=r"has md5 [0-9a-f]{32}; put ptb.valid.txt \(md5 [0-9a-f]{32}\) into"):
        PennTreebank(root=str(tmp_path))


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize(("kind", "title"), [(PennTreebank, "Penn Treebank"), (WikiText2, "WikiText-2")])
def test_the_sample_stands_in_for_a_benchmark_cut_in_parts(
    capsys: pytest.CaptureFixture[str], kind: type[TextData], title: str
) -> None:
    data = kind()
    assert f"{title} is not here. Going on with the BUNDLED SAMPLE" in capsys.readouterr().err
    assert data.corpus_name == "sample"
    assert all(data.has(split) for split in SPLITS)


def test_a_benchmark_from_fit_to_evaluate(benchmarks: Server, tmp_path: Path, verb: Command) -> None:
    options = "--data ptb --model ngram --model.order 2 --run bar --trainer.accelerator cpu"
    assert verb("fit", *options.split(), "--data.root", str(tmp_path)).code == 0
    evaluated = verb("evaluate", "lightning_logs/bar/checkpoints/best.ckpt", "--split", "test")
    assert evaluated.code == 0, evaluated.err
    assert "ptb, test part" in evaluated.out
    assert "6 tokens, each once (1 of them <unk>)" in evaluated.out
    counted = verb("corpus", "--data", "ptb", "--data.root", str(tmp_path))
    assert counted.code == 0, counted.err
    assert "tokens          14 (space), 1 of them <unk>" in counted.out


def test_five_sentences_are_all_parts() -> None:
    data = FiveSentences()
    assert len(data.codec.vocab.frequencies) == 11
    assert data.codec.vocab.frequencies[0] == ("learning", 5)
    texts = [data.codec.decode(data.part(split).ids).split("\n") for split in SPLITS]
    assert texts[0] == texts[1] == texts[2]
    assert [line for line in texts[0] if line] == [
        "i love machine learning",
        "i love deep learning",
        "pytorch is great for deep learning",
        "machine learning uses pytorch",
        "deep learning is fun",
    ]
