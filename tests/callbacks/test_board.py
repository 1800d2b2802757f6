import errno
from pathlib import Path
from typing import Any

import pytest

from seqlab.callbacks.board import Board, Forgiving


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
    for event in range(4):
        writer.add_event(event)
        writer.flush()
    assert inner.events == [0]
    assert capsys.readouterr().err == "seqlab: the log in logs ends here: no space left on device; training goes on\n"


def test_whatever_is_logged_goes_through_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    board = Board(str(tmp_path), name="run", version="")
    board.log_metrics({"a": 1.0}, step=1)
    assert list(tmp_path.glob("run/events*"))
    file = board.experiment._get_file_writer()
    file.event_writer._inner.add_event = Full().add_event
    board.experiment.add_text("words", "said")
    board.experiment.add_text("words", "said again")
    board.log_metrics({"a": 2.0}, step=2)
    board.save()
    assert capsys.readouterr().err.count("ends here") == 1
