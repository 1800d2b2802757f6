import inspect
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqlab.data import DATA
from seqlab.data import text as text_data
from seqlab.data import text_files as corpus_module
from seqlab.data.loader import Loader, Shard
from seqlab.data.parts import Split
from seqlab.data.streams import TextBatch
from seqlab.data.text import TextData
from seqlab.errors import UserError
from seqlab.text.codec import Codec

STORY = str(Path(__file__).parents[1] / "fixtures" / "story.txt")
ROOT = Path(os.environ.get("SEQLAB_DATA") or Path(__file__).parents[2].parent / "shared" / "data")
SMALL = {"batch_size": 4, "num_steps": 10}


def batches_of(loader: Loader[TextBatch]) -> list[list[list[int]]]:
    return [batch.inputs.tolist() for batch in loader]


def everything(data: TextData) -> dict[str, object]:
    """What a run would see of the data."""
    return {
        "vocab": data.codec.vocab.tokens(range(data.vocab_size)),
        "train": [batches_of(loader) for loader in [data.train_dataloader()] for _ in range(2)],
        "val": batches_of(data.evaluation_loader("val")),
        "test": batches_of(data.evaluation_loader("test")),
    }


def test_batches_have_the_sizes_asked_for() -> None:
    data = TextData(STORY, batch_size=4, num_steps=10)
    batch = next(iter(data.train_dataloader()))
    assert batch.inputs.shape == (4, 10)
    assert not batch.continues
    assert torch.equal(batch.inputs[:, 1:], batch.targets[:, :-1])


def test_training_text_is_the_files_text() -> None:
    data = TextData(STORY, batch_size=1, num_steps=10)
    row = [token for batch in batches_of(data.train_dataloader()) for token in batch[0]]
    assert data.codec.decode(row) in Path(STORY).read_text(encoding="utf-8")
    assert len(row) > 0.8 * 2800


def test_evaluation_reads_each_token_once_in_one_stream() -> None:
    data = TextData(STORY, **SMALL)
    ids = data.part("test").ids
    rows = [batch[0] for batch in batches_of(data.test_dataloader())]
    assert [len(row) for row in rows] == [128, 128, len(ids) - 257]
    assert sum(rows, []) == ids[:-1].tolist()


@pytest.mark.parametrize(("per_stream", "streams"), [(10**6, 1), (100, 2), (1, 64)])
def test_evaluation_streams_grow_with_the_text(per_stream: int, streams: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_data, "TOKENS_PER_STREAM", per_stream)
    data = TextData(STORY, **SMALL)
    assert len(next(iter(data.test_dataloader())).inputs) == streams


OPTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "path": ({}, {"path": [STORY, STORY]}),
    "val_path": ({"test_path": STORY}, {"val_path": STORY, "test_path": STORY}),
    "test_path": ({"val_path": STORY}, {"val_path": STORY, "test_path": STORY}),
    "cleaning": ({}, {"cleaning": "classic"}),
    "tokens": ({}, {"tokens": "word"}),
    "min_freq": ({}, {"min_freq": 5}),
    "num_subwords": ({"tokens": "bpe", "num_subwords": 270}, {"tokens": "bpe", "num_subwords": 300}),
    "phrases": ({"tokens": "word"}, {"tokens": "word", "phrases": 1, "phrase_threshold": 1.0}),
    "phrase_threshold": (
        {"tokens": "word", "phrases": 1},
        {"tokens": "word", "phrases": 1, "phrase_threshold": 1.0},
    ),
    "batch_size": ({}, {"batch_size": 5}),
    "num_steps": ({}, {"num_steps": 11}),
    "sampling": ({}, {"sampling": "random"}),
    "max_tokens": ({}, {"max_tokens": 1000}),
    "val_fraction": ({}, {"val_fraction": 0.2}),
    "test_fraction": ({}, {"test_fraction": 0.3}),
    "eval_streams": ({}, {"eval_streams": 3}),
    "end_of_line": ({}, {"end_of_line": True}),
    "lines": ({}, {"lines": "items"}),
    "shuffled": ({"lines": "items"}, {"lines": "items", "shuffled": True}),
    "name_shown": ({}, {"name_shown": "a tale"}),
    "seed": ({}, {"seed": 1}),
    "codecs": ({}, {"codecs": {"text": Codec.build(lambda: iter(["abcdefghijkl"]), "raw")}}),
}


def readable(data: TextData) -> dict[str, object]:
    """As ``everything``, but of data that may lack a part."""
    seen: dict[str, object] = {}
    for key in ("train", "val", "test"):
        try:
            loader = data.train_dataloader() if key == "train" else data.evaluation_loader(key)  # type: ignore[arg-type]
            seen[key] = batches_of(loader)
        except UserError as error:
            seen[key] = str(error)
    return {**seen, "name": data.corpus_name, "vocab": data.codec.vocab.tokens(range(data.vocab_size))}


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_changes_something(option: str) -> None:
    without, given = ({"path": STORY, **SMALL, **arguments} for arguments in OPTIONS[option])
    assert readable(TextData(**without)) == readable(TextData(**without))
    assert readable(TextData(**without)) != readable(TextData(**given))


def test_no_option_is_forgotten() -> None:
    assert {*OPTIONS, "root", "self"} == set(inspect.signature(TextData.__init__).parameters)


def test_encoded_text_is_kept_in_the_users_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_module, "MEMORY_LIMIT", 0)
    monkeypatch.setenv("SEQLAB_DATA", str(tmp_path / "variable"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    TextData(STORY, root=str(tmp_path / "option"))
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
    assert len(list((tmp_path / "cache" / "seqlab" / "encoded").glob("*/train.ids"))) == 1


def test_seed_moves_the_training_batches_alone() -> None:
    one, other = (everything(TextData(STORY, **SMALL, seed=seed)) for seed in (0, 1))
    assert one.pop("train") != other.pop("train")
    assert one == other


def test_max_tokens_keeps_the_beginning() -> None:
    whole, cut = TextData(STORY, **SMALL), TextData(STORY, **SMALL, max_tokens=500)
    assert cut.part("train").ids.tolist() == whole.part("train").ids[:500].tolist()
    assert cut.part("train").characters == 500
    assert np.array_equal(cut.part("test").ids, whole.part("test").ids)
    assert cut.vocab_size == whole.vocab_size
    more = TextData(STORY, **SMALL, max_tokens=10**6)
    assert more.part("train").characters == whole.part("train").characters


def test_shards_of_a_trainer(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [batch.inputs for batch in TextData(STORY, **SMALL).train_dataloader()]
    for rank in range(2):
        data = TextData(STORY, **SMALL)
        monkeypatch.setattr(data, "shard", lambda rank=rank: Shard(rank, 2))
        for batch, expected in zip(data.train_dataloader(), whole, strict=True):
            assert torch.equal(batch.inputs, expected[2 * rank : 2 * rank + 2])


@pytest.mark.parametrize("given", [{}, {"val_path": STORY, "eval_streams": 2, "sampling": "random", "max_tokens": 900}])
def test_a_recipe_makes_the_same_data_again(given: dict[str, Any]) -> None:
    data = TextData(STORY, **SMALL, **given)
    recipe = data.recipe()
    assert recipe["name"] == "text"
    assert all(isinstance(value, str | int | float | list) for value in recipe.values())
    again = DATA[str(recipe.pop("name"))](**recipe)  # type: ignore[arg-type]
    assert readable(again) == readable(data)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"path": None}, "--data text needs a text to train on; name a UTF-8 file with --data.path"),
        ({"batch_size": 0}, "batch_size 0 must be a whole number of at least 1"),
        ({"num_steps": -3}, "num_steps -3 must be a whole number of at least 1"),
        ({"max_tokens": 0}, "max_tokens 0 must be a whole number of at least 1, or left out"),
        ({"eval_streams": 0}, "eval_streams 0 must be a whole number of at least 1, or left out"),
        ({"sampling": "randon"}, "sampling 'randon' must be contiguous or random"),
        ({"cleaning": "clasic"}, "unknown cleaning 'clasic'; did you mean 'classic'?"),
        ({"tokens": "chars"}, "unknown tokens 'chars'; did you mean 'char'?"),
        ({"min_freq": -1}, "min_freq -1 must be a whole number of at least 0"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_wrong_options(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(words)}$"):
        TextData(**{"path": STORY, **wrong})


def test_a_part_without_text() -> None:
    data = TextData(STORY, **SMALL, val_fraction=0, test_fraction=0)
    assert data.val_dataloader() == []
    words = "^the corpus 'story' has no test part to read; give --data.test_fraction or --data.test_path$"
    with pytest.raises(UserError, match=words):
        data.test_dataloader()


def test_an_empty_training_part(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    with pytest.raises(UserError, match="^the corpus 'empty' has no train part to read; give more text$"):
        TextData(str(tmp_path / "empty.txt")).train_dataloader()


def test_the_home_folder_may_be_abbreviated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(Path(STORY).parent))
    assert TextData("~/story.txt").corpus_name == "story"


def test_lines_as_items(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("a b\nb\n\na a a\n")
    data = TextData(
        str(tmp_path / "text"), tokens="space", lines="items", batch_size=4, val_fraction=0, test_fraction=0
    )
    words = {tuple(data.codec.vocab.tokens(row)) for row in ([1, 2, 3, 4],)}
    assert words == {("<bos>", "<eos>", "a", "b")}
    (batch,) = data.train_dataloader()
    assert not batch.continues
    assert batch.valid is not None
    rows = {
        (tuple(inputs[real].tolist()), tuple(targets[real].tolist()))
        for inputs, targets, real in zip(batch.inputs, batch.targets, batch.valid, strict=True)
    }
    assert rows == {((1, 3, 4), (3, 4, 2)), ((1, 4), (4, 2)), ((1,), (2,)), ((1, 3, 3, 3), (3, 3, 3, 2))}
    (whole,) = data.evaluation_loader("train")
    assert int(whole.valid.sum()) == 10


def test_a_corpus_of_several_files_is_named_by_their_folder(tmp_path: Path) -> None:
    folder = tmp_path / "ptb"
    folder.mkdir()
    for name in ("ptb.train.txt", "ptb.test.txt"):
        (folder / name).write_text("some text\n" * 20)
    train, test = (str(folder / f"ptb.{part}.txt") for part in ("train", "test"))
    assert TextData(train, test_path=test).corpus_name == "ptb"
    assert TextData(train, test_path=test, name_shown="Penn").corpus_name == "Penn"
    assert TextData(train).corpus_name == "ptb"
    assert TextData(STORY).corpus_name == "story"


def test_items_are_cut_into_parts_in_a_random_order(tmp_path: Path) -> None:
    (tmp_path / "names").write_text("".join(f"{chr(97 + row % 26)}{row}\n" for row in range(400)))
    sorted_, shuffled = (
        TextData(str(tmp_path / "names"), lines="items", shuffled=on, batch_size=4) for on in (False, True)
    )
    parts: tuple[Split, ...] = ("train", "val", "test")
    sizes = [sum(len(data.part(split).ids) for split in parts) for data in (sorted_, shuffled)]
    assert sizes[0] == sizes[1]
    written = shuffled.codec.written(shuffled.part("test").ids).split()
    numbers = [int(word[1:]) for word in written if word[1:].isdigit()]
    assert min(numbers) < 100
    with pytest.raises(UserError, match="shuffled true would tear a text apart; give --data.lines items too"):
        TextData(str(tmp_path / "names"), shuffled=True)
