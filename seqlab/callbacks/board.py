"""TensorBoard's logger: a full disk ends the log and not the training, and a run that goes on logs nothing twice."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.loggers.logger import rank_zero_experiment

from seqlab.errors import UserError, reason_of
from seqlab.runs.schema import LogEnd


class Forgiving:
    """Writes events as long as they can be written; says once where they cannot, and drops the rest.

    ``end`` is the end of what was written.

    Args:
        inner: TensorBoard's own writer.
    """

    def __init__(self, inner: Any) -> None:
        self._inner, self.lost = inner, False
        self.end: LogEnd = {"step": -1, "events": []}

    def get_logdir(self) -> Any:
        """Where the events are."""
        return self._inner.get_logdir()

    def add_event(self, event: Any) -> None:
        """Writes an event."""
        if event.HasField("summary"):
            if event.step > self.end["step"]:
                self.end = {"step": event.step, "events": []}
            if event.step == self.end["step"]:
                self.end["events"].append(event.SerializeToString())
        self._try(self._inner.add_event, event)

    def flush(self) -> None:
        """Puts on the disk what was written."""
        self._try(self._inner.flush)

    def close(self) -> None:
        """Ends the file."""
        self._try(self._inner.close)

    def reopen(self) -> None:
        """Goes on with the file."""
        self._try(self._inner.reopen)

    def _try(self, does: Callable[..., Any], *given: Any) -> None:
        if self.lost:
            return
        try:
            does(*given)
        except OSError as error:
            self.lost = True
            words = f"the log in {self.get_logdir()} ends here: {reason_of(error)}; training goes on"
            print(f"seqlab: {words}", file=sys.stderr)


class Board(TensorBoardLogger):
    """Lightning's logger for TensorBoard, whose events are written as ``Forgiving`` does.

    Args:
        folder: Of the run.
        end: Of the log of a run that goes on, as its checkpoint has it; what was logged after that is hidden.
        purge_step: First step that is hidden where the checkpoint does not say how its log ended.

    Raises:
        UserError: The end is none.
    """

    def __init__(self, folder: Path, end: LogEnd | None = None, purge_step: int = 0) -> None:
        self._again = [] if end is None else _read(end)
        purge = purge_step if end is None else max(0, end["step"])
        super().__init__(str(folder.parent), name=folder.name, version="", default_hp_metric=False, purge_step=purge)

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """TensorBoard's own object."""
        writer = super().experiment
        file = writer._get_file_writer()
        if not isinstance(file.event_writer, Forgiving):
            file.event_writer = Forgiving(file.event_writer)
            again, self._again = self._again, []  # it is made anew once it was closed
            for event in again:
                file.event_writer.add_event(event)
        return writer

    def end(self) -> LogEnd:
        """The end of the log, all of which is with the system then; the first process may ask."""
        writer = self.experiment._get_file_writer().event_writer
        writer.flush()
        return {"step": writer.end["step"], "events": [*writer.end["events"]]}

    def save(self) -> None:
        """Writes the options of the run beside the events."""
        try:
            super().save()
        except OSError as error:
            print(f"seqlab: cannot write in {self.log_dir}: {reason_of(error)}; training goes on", file=sys.stderr)


def _read(end: LogEnd) -> list[Any]:
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto.event_pb2 import Event

    try:
        events = [Event.FromString(one) for one in end["events"]]
    except DecodeError:
        events = [Event()]
    if any(event.step != end["step"] or not event.HasField("summary") for event in events):
        raise UserError("the end of the log in the checkpoint is none; use another one")
    return events
