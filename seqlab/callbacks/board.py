"""TensorBoard's logger, with which a full disk ends the log and not the training."""

import sys
from collections.abc import Callable
from typing import Any

from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.loggers.logger import rank_zero_experiment

from seqlab.errors import reason_of


class Forgiving:
    """Writes events as long as they can be written; says once where they cannot, and drops the rest.

    Args:
        inner: TensorBoard's own writer.
    """

    def __init__(self, inner: Any) -> None:
        self._inner, self.lost = inner, False

    def get_logdir(self) -> Any:
        """Where the events are."""
        return self._inner.get_logdir()

    def add_event(self, event: Any) -> None:
        """Writes an event."""
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
    """Lightning's logger for TensorBoard, whose events are written as ``Forgiving`` does."""

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """TensorBoard's own object."""
        writer = super().experiment
        file = writer._get_file_writer()
        if not isinstance(file.event_writer, Forgiving):
            file.event_writer = Forgiving(file.event_writer)
        return writer

    def save(self) -> None:
        """Writes the options of the run beside the events."""
        try:
            super().save()
        except OSError as error:
            print(f"seqlab: cannot write in {self.log_dir}: {reason_of(error)}; training goes on", file=sys.stderr)
