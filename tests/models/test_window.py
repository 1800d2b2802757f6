"""A step of several batches, or processes, is the step of all their items in one batch."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from torch.optim import SGD
from torch.utils.data import DataLoader

from seqlab.data.parallel import ParallelData
from seqlab.data.streams import TextBatch
from seqlab.data.text import TextData
from seqlab.models.language import LanguageModel
from seqlab.models.model import Model
from seqlab.models.translation import TranslationModel
from seqlab.models.window import Window
from seqlab.nn.language_network import LanguageOptions
from seqlab.nn.translation_network import TranslationOptions

RATE = 0.5
TIMES = 9
LENGTHS = (9, 2, 5, 7, 1, 3, 8)
"""Tokens of the rows of seven batches, so that accumulation of three makes windows of 3, 3 and 1."""


@pytest.fixture
def text(tmp_path: Path) -> TextData:
    (tmp_path / "t.txt").write_text("the dog slept by the lamp and the keeper of the lamp read to it\n" * 12)
    return TextData(str(tmp_path / "t.txt"), batch_size=2, num_steps=TIMES, val_fraction=0.0, test_fraction=0.0)


@pytest.fixture
def pairs(tmp_path: Path) -> ParallelData:
    lines = [f"{' '.join('abcd'[(row + k) % 4] for k in range(1 + row % 5))} {row}\n" for row in range(30)]
    (tmp_path / "p.tsv").write_text("".join(f"{line.strip()}\t{line.strip()[::-1]}\n" for line in lines))
    return ParallelData(str(tmp_path / "p.tsv"), min_freq=1, val_fraction=0.0, test_fraction=0.0)


def language(text: TextData, l1: float = 0.0) -> LanguageModel:
    torch.manual_seed(0)
    options = LanguageOptions(hidden_size=6, embedding_size=4, dropout=0.0, l1=l1)
    return LanguageModel(options, text.codecs, optimizer=partial(SGD, lr=RATE)).double()


def translation(pairs: ParallelData) -> TranslationModel:
    torch.manual_seed(0)
    options = TranslationOptions(hidden_size=6, embedding_size=4, dropout=0.0)
    return TranslationModel(options, pairs.codecs, optimizer=partial(SGD, lr=RATE)).double()


def text_batches(text: TextData) -> list[TextBatch]:
    """Batches of two rows each, all but the first few tokens padding; none goes on where another stopped."""
    ids = torch.from_numpy(text.part("train").ids.astype("int64"))
    found = []
    for number, length in enumerate(LENGTHS):
        starts = torch.tensor([number * 30, number * 30 + 11])
        rows = ids[starts[:, None] + torch.arange(TIMES + 1)]
        valid = torch.arange(TIMES).expand(2, -1) < torch.tensor([[length], [1 + length // 2]])
        found.append(TextBatch(rows[:, :-1], rows[:, 1:], valid, continues=False))
    return found


def joined(batches: Sequence[TextBatch]) -> TextBatch:
    inputs, targets, valid = (torch.cat([batch[k] for batch in batches]) for k in range(3))
    return TextBatch(inputs, targets, valid, continues=False)


def fitted(made: Model, batches: Sequence[Any], accumulated: int = 1, **options: Any) -> Tensor:
    """The weights after an epoch of these batches."""
    quiet = dict.fromkeys(("enable_checkpointing", "enable_progress_bar", "enable_model_summary", "logger"), False)
    options = {"max_epochs": 1, "accumulate_grad_batches": accumulated, **options}
    trainer = pl.Trainer(accelerator="cpu", **quiet, **options)
    trainer.fit(made, DataLoader([*batches], batch_size=None))
    return torch.cat([weight.detach().flatten() for weight in made.parameters()])


def in_windows(batches: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [batches[begin : begin + size] for begin in range(0, len(batches), size)]


@pytest.mark.parametrize("accumulated", [2, 3, 4, 7, 9])
@pytest.mark.parametrize("l1", [0.0, 0.01])
def test_a_language_model_steps_as_over_one_batch(accumulated: int, l1: float, text: TextData) -> None:
    batches = text_batches(text)
    in_one = [joined(window) for window in in_windows(batches, accumulated)]
    one, many = fitted(language(text, l1), in_one), fitted(language(text, l1), batches, accumulated)
    torch.testing.assert_close(many, one, rtol=0, atol=1e-12)


@pytest.mark.parametrize("accumulated", [2, 3, 7])
def test_clipping_and_the_norm_are_those_of_one_batch(accumulated: int, text: TextData) -> None:
    batches, clip = text_batches(text), {"gradient_clip_val": 0.05}
    in_one = [joined(window) for window in in_windows(batches, accumulated)]
    one, many = fitted(language(text), in_one, **clip), fitted(language(text), batches, accumulated, **clip)
    torch.testing.assert_close(many, one, rtol=0, atol=1e-12)
    assert not torch.allclose(one, fitted(language(text), in_one))


@pytest.mark.parametrize("accumulated", [2, 3, 7])
def test_a_translation_model_steps_as_over_one_batch(accumulated: int, pairs: ParallelData) -> None:
    encoded, rows = pairs.encoded("train"), torch.randperm(30, generator=torch.Generator().manual_seed(0)).numpy()
    parts = [rows[:6], rows[6:7], rows[7:12], rows[12:20], rows[20:22], rows[22:23], rows[23:30]]
    batches = [encoded.batch(part) for part in parts]
    assert len({int(batch.valid.sum()) for batch in batches}) > 4
    in_one = [
        encoded.batch(torch.tensor([row for part in window for row in part]).numpy())
        for window in in_windows(parts, accumulated)
    ]
    one, many = fitted(translation(pairs), in_one), fitted(translation(pairs), batches, accumulated)
    torch.testing.assert_close(many, one, rtol=0, atol=1e-12)


def test_windows_of_three_three_and_one(text: TextData) -> None:
    """By hand: each step goes down the gradient of its items' sum over their number."""
    batches, made = text_batches(text), language(text)
    for window in in_windows(batches, 3):
        total, items, _ = made.loss(joined(window), "train")
        gradients = torch.autograd.grad(total / items, [*made.parameters()])
        with torch.no_grad():
            for weight, gradient in zip(made.parameters(), gradients, strict=True):
                weight -= RATE * gradient
    by_hand = torch.cat([weight.detach().flatten() for weight in made.parameters()])
    torch.testing.assert_close(fitted(language(text), batches, 3), by_hand, rtol=0, atol=1e-12)


def test_the_penalty_enters_once_a_step(text: TextData) -> None:
    """Three batches or one: a step moves by the same share of the penalty's gradient."""
    batches, moved = text_batches(text)[:3], []
    for accumulated in (3, 4):  # whole windows, and one that the epoch cuts short
        plain, penalized = (fitted(language(text, l1), batches, accumulated) for l1 in (0.0, 0.01))
        moved.append(plain - penalized)
    begun = torch.cat([weight.detach().flatten() for weight in language(text).parameters()])
    for each in moved:
        torch.testing.assert_close(each, RATE * 0.01 * begun.sign(), rtol=0, atol=1e-12)


class Processes:
    """What a trainer of several processes tells a window of one: their number, and the sums of what all of them count.

    Args:
        counts: Items of each batch, a row a process.
        accumulated: Batches of a window.
    """

    def __init__(self, counts: Sequence[Sequence[int]], accumulated: int) -> None:
        self.accumulate_grad_batches, self.world_size, self.is_last_batch = accumulated, len(counts), False
        self.sums = [sum(map(sum, window)) for window in in_windows([*zip(*counts, strict=True)], accumulated)]
        self.asked: list[tuple[int, Tensor]] = []

    def all_reduce(self, own: Tensor, async_op: bool) -> "Processes":
        """The sum is there once it is waited for, and no sooner."""
        assert (own.dtype, async_op) == (torch.float64, True)
        self.asked.append((self.sums.pop(0), own))
        return self

    def wait(self) -> None:
        while self.asked:
            count, own = self.asked.pop()
            own.fill_(count)


@pytest.mark.parametrize("penalty", [None, 0.01])
@pytest.mark.parametrize(
    ("counts", "accumulated"),
    [([[3, 5, 1], [2, 9, 4]], 3), ([[0, 4], [7, 1]], 2), ([[3, 5, 1, 2, 6], [1, 1, 8, 2, 2]], 3)],
)
def test_processes_step_as_over_all_their_items(
    counts: list[list[int]], accumulated: int, penalty: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lightning divides each loss by the number of batches and DDP takes the mean over processes, as is done here."""
    generator = torch.Generator().manual_seed(0)
    slopes = [[torch.rand(count, generator=generator, dtype=torch.float64) for count in row] for row in counts]
    steps: list[list[Tensor]] = []
    for row in slopes:
        trainer, window = Processes(counts, accumulated), Window()
        monkeypatch.setattr(dist, "all_reduce", trainer.all_reduce)
        weight = torch.nn.Parameter(torch.ones((), dtype=torch.float64))
        steps.append([])
        for batch_idx, slope in enumerate(row):
            ends = batch_idx == len(row) - 1
            trainer.is_last_batch = ends
            extra = None if penalty is None else weight * penalty
            loss = window.loss((weight * slope).sum(), len(slope), extra, trainer, batch_idx)
            (loss / accumulated).backward()
            window.correct([weight])
            if ends or (batch_idx + 1) % accumulated == 0:
                assert weight.grad is not None
                steps[-1].append(weight.grad.clone())
                weight.grad = None
    found = torch.stack([torch.stack(own) for own in steps]).mean(0)
    expected = []
    for window_of in in_windows([*zip(*slopes, strict=True)], accumulated):
        values = torch.cat([slope for batch in window_of for slope in batch])
        expected.append(values.sum() / len(values) + (penalty or 0.0))
    torch.testing.assert_close(found, torch.stack(expected), rtol=0, atol=1e-12)


def test_processes_wait_for_their_items_after_the_backward_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer, window, weight = Processes([[4], [8]], 1), Window(), torch.nn.Parameter(torch.tensor(2.0))
    monkeypatch.setattr(dist, "all_reduce", trainer.all_reduce)
    window.loss(weight * 12, 4, None, trainer, 0).backward()
    assert len(trainer.asked) == 1
    window.correct([weight])
    assert not trainer.asked
    assert weight.grad is not None
    assert float(weight.grad) == 2.0


def test_one_process_and_one_batch_is_left_alone() -> None:
    window, weight = Window(), torch.nn.Parameter(torch.tensor(2.0))
    window.loss(weight * 12, 4, None, None, 0).backward()
    window.correct([weight])
    assert float(weight.grad) == 3.0  # type: ignore[arg-type]
