"""TensorBoard's logger: a full disk ends the log and not the training, and a run that goes on logs nothing twice."""

import sys
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.loggers.logger import rank_zero_experiment
from lightning.pytorch.utilities import rank_zero_only

from seqlab.board_tags import board_tag
from seqlab.errors import UserError, reason_of
from seqlab.runs.schema import LogEnd


class Board(TensorBoardLogger):
    """Lightning's logger for TensorBoard, whose events are written as ``Events`` does.

    Args:
        folder: Folder of the run.
        end: Of the log of a run that goes on, as its checkpoint has it; what was logged after that is hidden.
        purge_step: First step that is hidden where the checkpoint does not say how its log ended.

    Raises:
        UserError: The end is none.
    """

    _experiment: Any

    def __init__(self, folder: Path, end: LogEnd | None = None, purge_step: int = 0) -> None:
        self._again = [] if end is None else _read(end)
        self._purge = purge_step if end is None else max(0, end["step"])
        super().__init__(str(folder.parent), name=folder.name, version="", default_hp_metric=False)

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """TensorBoard's own object."""
        if self._experiment is None:
            from seqlab.callbacks.events import Writer  # TensorBoard, which others need not wait for

            self._experiment = Writer(self.log_dir, self._purge)
            for event in self._again:
                self._experiment._get_file_writer().add_event(event, event.step, event.wall_time)
        return self._experiment

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Numbers under the tags of ``board_tag``; the epoch, which Lightning adds to them, is left out."""
        super().log_metrics({board_tag(name): value for name, value in metrics.items() if name != "epoch"}, step)

    @rank_zero_only
    def log_table(self, chosen: dict[str, Any], reached: list[str]) -> None:
        """Fills the HParams tab with what was chosen, and the last values of what was logged under several names."""
        from torch.utils.tensorboard.summary import hparams

        self.hparams.update(chosen)
        plain = {
            name: value if isinstance(value, bool | int | float | str) else str(value) for name, value in chosen.items()
        }
        for summary in hparams(plain, {board_tag(name): 0.0 for name in reached}):
            self.experiment._get_file_writer().add_summary(summary)

    def end(self) -> LogEnd:
        """The end of the log, all of which is with the system then; the first process may ask."""
        end = self.experiment.events.end
        return {"step": end["step"], "events": [*end["events"]]}

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
