from types import SimpleNamespace
from typing import Any

import pytest

from seqlab.data.data_module import TOGETHER, DataModule, warn_of_sample
from seqlab.data.loader import Loader, Shard
from seqlab.text.labels import Labels


class Numbers:
    """Three batches: the epoch and their place in it, of every shard the same."""

    def __len__(self) -> int:
        return 3

    def batch(self, epoch: int, index: int) -> tuple[int, int]:
        return epoch, index


class Counting(DataModule):
    """Numbers to learn, with a validation part or not."""

    data_name = "counting"
    answered = ("path",)
    corpus_name = "numbers"

    def __init__(self, start: int = 0, path: str = "p", note: str | None = None, parts: tuple[str, ...] = ("train",)):
        super().__init__()
        self.save_hyperparameters(ignore=["parts"])
        self.parts = parts
        self.shards: list[Shard] = []

    def has(self, split: Any) -> bool:
        return split in self.parts

    def train_batches(self, shard: Shard) -> Numbers:
        self.shards.append(shard)
        return Numbers()

    def evaluation_loader(self, split: Any) -> Loader[Any]:
        return Loader(Numbers())

    def inputs(self, split: Any) -> list[str]:
        return [f"{split} {number}" for number in range(TOGETHER + 1)]

    def describe(self) -> str:
        return "three batches"

    @property
    def codecs(self) -> dict[str, Any]:
        return {}

    def num_items(self) -> int:
        return 3

    def fingerprint(self) -> str:
        return "f"


def test_a_recipe_makes_the_data_again() -> None:
    assert Counting(start=2).recipe() == {"name": "counting", "start": 2}
    assert str(Counting()) == "numbers: three batches"


def test_without_a_part_nothing_validates() -> None:
    assert Counting().val_dataloader() == []
    assert isinstance(Counting(parts=("train", "val")).val_dataloader(), Loader)


def test_raw_inputs_come_many_at_a_time() -> None:
    first, second = Counting().predict_dataloader()
    assert len(first) == TOGETHER
    assert second == [f"test {TOGETHER}"]


def test_training_goes_on_where_a_state_was_taken() -> None:
    data = Counting()
    assert data.state_dict() == {}
    batches = iter(data.train_dataloader())
    assert [next(batches), next(batches)] == [(0, 0), (0, 1)]
    again = Counting()
    again.load_state_dict(data.state_dict())
    assert [*again.train_dataloader()] == [(0, 2)]
    assert [*again.train_dataloader()] == [(0, 0), (0, 1), (0, 2)]  # a loader made anew begins anew


def test_the_trainer_says_which_rows_and_how_many_batches() -> None:
    data = Counting()
    assert data.shard() == Shard(0, 1)
    trainer: Any = SimpleNamespace(global_rank=1, world_size=4, limit_train_batches=2, lightning_module=None)
    data.trainer = trainer
    batches = iter(data.train_dataloader())
    assert data.shards == [Shard(1, 4)]
    assert [next(batches), next(batches)] == [(0, 0), (0, 1)]
    again = Counting()
    again.trainer = trainer
    again.load_state_dict(data.state_dict())
    assert next(iter(again.train_dataloader())) == (1, 0)  # that epoch was over after two


def test_codecs_that_a_model_adds_are_taken_over() -> None:
    data, more = Counting(), {"context": Labels(["a"])}
    encoded: list[int] = []
    data.encode_anew = lambda: encoded.append(1)  # type: ignore[method-assign]
    data.adopt({})
    assert (data.added, encoded) == ({}, [])
    data.adopt(more)
    data.adopt(more)
    data.adopt({})
    assert (data.added, encoded) == (more, [1])
    data.adopt({"context": Labels(["b"])})
    assert (data.added["context"].state()["names"], encoded) == (["b"], [1, 1])


def test_nobody_can_miss_the_bundled_sample(capsys: pytest.CaptureFixture[str]) -> None:
    warn_of_sample("The Time Machine", "no connection")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5
    assert lines[1] == "!!! The Time Machine is not here. Going on with the BUNDLED SAMPLE, written for this project:"
    assert lines[3] == "!!! Reason: no connection"


def test_undivided_no_trainer_says_which_rows() -> None:
    data = Counting()
    trainer: Any = SimpleNamespace(global_rank=1, world_size=4)
    data.trainer = trainer
    with data.undivided():
        assert data.shard() == Shard(0, 1)
    assert data.shard() == Shard(1, 4)


@pytest.mark.parametrize(
    ("parts", "last"), [(("train",), "train"), (("train", "val"), "val"), (("train", "val", "test"), "test")]
)
def test_the_last_part_is_the_one_least_trained_on(parts: tuple[str, ...], last: str) -> None:
    assert Counting(parts=parts).last_part == last


@pytest.mark.parametrize(("parts", "watched"), [(("train", "val", "test"), "val"), (("train", "test"), "train")])
def test_what_is_shown_in_training_is_not_the_test_part(parts: tuple[str, ...], watched: str) -> None:
    assert Counting(parts=parts).watched_part == watched
