from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event

from seqlab.callbacks.board import Board
from seqlab.errors import UserError


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
