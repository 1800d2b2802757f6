import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seqlab.callbacks import events
from seqlab.callbacks.board import Board
from seqlab.callbacks.events import Writer


@contextmanager
def full(size: int) -> Iterator[None]:
    """No file may be larger, that of what pytest says included."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def scalars(folder: Path) -> list[tuple[int, float]]:
    read = EventAccumulator(str(folder))
    read.Reload()
    return [(event.step, event.value) for event in read.Scalars("a")]


def test_a_full_disk_ends_the_log_with_one_sentence_and_no_half_event(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = Writer(str(tmp_path))
    writer.add_scalar("a", 1.0, 1)
    (file,) = tmp_path.iterdir()
    whole = file.stat().st_size
    with full(whole + 5):
        for step in (2, 3):
            writer.add_scalar("a", float(step), step)
            writer.add_text("words", "said", step)
        writer.close()
        writer.add_scalar("a", 4.0, 4)
    assert capsys.readouterr().err == f"seqlab: the log in {tmp_path} ends here: file too large; training goes on\n"
    assert os.listdir(tmp_path) == [file.name]
    assert file.stat().st_size == whole
    assert scalars(tmp_path) == [(1, 1.0)]


def test_a_disk_that_is_full_from_the_first_keeps_nothing_from_being_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with full(0):
        board = Board(tmp_path / "run")
        board.log_metrics({"a": 1.0}, step=1)
        board.log_hyperparams({"b": 2}, {"c": 3.0})
    assert capsys.readouterr().err.count("ends here") == 1
    assert board.end()["step"] == 1


def test_a_closed_log_goes_on_in_another_file(tmp_path: Path) -> None:
    writer = Writer(str(tmp_path))
    for step in (1, 2):
        writer.add_scalar("a", float(step), step)
        writer.close()
    assert len(os.listdir(tmp_path)) == 2
    assert scalars(tmp_path) == [(1, 1.0), (2, 2.0)]


@pytest.mark.parametrize("second", [0.0, -90.0], ids=["the same second", "a clock that was put back"])
def test_what_goes_on_is_read_after_what_was_there(
    second: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the number of the process."""
    began = time.time()
    for number, process in enumerate(("999", "10", "5")):
        monkeypatch.setattr(events.time, "time", lambda number=number: began + number * second)
        monkeypatch.setattr(events.os, "getpid", lambda process=process: process)
        writer = Writer(str(tmp_path), purge_step=number or None)
        writer.add_scalar("a", float(number), number)
        writer.close()
    assert scalars(tmp_path) == [(0, 0.0), (1, 1.0), (2, 2.0)]
