import errno
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event

from seqlab.callbacks.board import Board, Forgiving
from seqlab.errors import UserError


class Full:
    """A writer whose disk is full after an event."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def get_logdir(self) -> str:
        return "logs"

    def add_event(self, event: Any) -> None:
        if self.events:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.events.append(event)

    flush = close = reopen = lambda self: None


def test_a_full_disk_ends_the_log_with_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    writer = Forgiving(inner := Full())
    for step in range(4):
        writer.add_event(Event(step=step))
        writer.flush()
    assert inner.events == [Event(step=0)]
    assert capsys.readouterr().err == "seqlab: the log in logs ends here: no space left on device; training goes on\n"


def test_whatever_is_logged_goes_through_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    board = Board(tmp_path / "run")
    board.log_metrics({"a": 1.0}, step=1)
    assert list(tmp_path.glob("run/events*"))
    file = board.experiment._get_file_writer()
    file.event_writer._inner.add_event = Full().add_event
    board.experiment.add_text("words", "said")
    board.experiment.add_text("words", "said again")
    board.log_metrics({"a": 2.0}, step=2)
    board.save()
    assert capsys.readouterr().err.count("ends here") == 1


def test_what_was_logged_behind_a_checkpoint_stands_once(tmp_path: Path) -> None:
    """Of two validations at one step, the one before the checkpoint stays and the one after it is logged anew."""
    board = Board(tmp_path / "run")
    board.log_metrics({"a": 1.0}, step=1)
    board.log_metrics({"a": 2.0, "b": 7.0}, step=2)
    board.log_metrics({"a": 3.0}, step=2)
    end = board.end()
    board.log_metrics({"a": 4.0}, step=2)
    board.log_metrics({"a": 5.0}, step=3)
    board.experiment.flush()
    resumed = Board(tmp_path / "run", end)
    assert resumed.end() == end
    resumed.log_metrics({"a": 4.0}, step=2)
    resumed.experiment.close()
    resumed.log_metrics({"c": 5.0}, step=2)
    resumed.experiment.flush()
    read = EventAccumulator(str(tmp_path / "run"))
    read.Reload()
    assert [(event.step, event.value) for event in read.Scalars("a")] == [(1, 1), (2, 2), (2, 3), (2, 4)]
    assert [(event.step, event.value) for event in read.Scalars("b")] == [(2, 7)]


@pytest.mark.parametrize("event", [b"\xff", b"", Event(step=2).SerializeToString()])
def test_an_end_that_is_none_is_refused(event: bytes, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the end of the log in the checkpoint is none"):
        Board(tmp_path / "run", {"step": 2, "events": [event]})
