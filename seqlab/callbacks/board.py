"""TensorBoard's logger: a full disk ends only the log, and a resumed run logs nothing twice."""

import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.loggers.logger import rank_zero_experiment
from lightning.pytorch.utilities import rank_zero_only

from seqlab.board_tags import board_tag
from seqlab.errors import UserError, reason_of
from seqlab.runs.schema import LogEnd


class Board(TensorBoardLogger):
    """Lightning's logger for TensorBoard, with events written by ``Events``.

    Args:
        folder: Folder of the run.
        end: End of the log in the checkpoint of a resumed run; later entries are hidden.
        purge_step: First hidden step, if the checkpoint does not hold the end of its log.

    Raises:
        UserError: The end is invalid.
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
            from seqlab.callbacks.events import Writer  # imports TensorBoard, which is slow

            self._experiment = Writer(self.log_dir, self._purge)
            for event in self._again:
                self._experiment._get_file_writer().add_event(event, event.step, event.wall_time)
        return self._experiment

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Logs numbers under the tags of ``board_tag``, without the epoch that Lightning adds."""
        super().log_metrics({board_tag(name): value for name, value in metrics.items() if name != "epoch"}, step)

    @rank_zero_only
    def log_table(self, chosen: dict[str, Any], reached: list[str], first: Collection[str]) -> None:
        """Fills the HParams tab.

        Args:
            chosen: The options of the run.
            reached: Names under which results were logged; the tab shows the last value of each.
            first: Options whose columns come first; TensorBoard sorts the options marked as different to the front.
        """
        from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
        from torch.utils.tensorboard.summary import hparams

        self.hparams.update(chosen)
        plain = {
            name: value if isinstance(value, bool | int | float | str) else str(value) for name, value in chosen.items()
        }
        table, *session = hparams(plain, {board_tag(name): 0.0 for name in reached})
        plugin = table.value[0].metadata.plugin_data
        data = HParamsPluginData.FromString(plugin.content)
        for column in data.experiment.hparam_infos:
            column.differs = column.name in first
        plugin.content = data.SerializeToString()
        for summary in (table, *session):
            self.experiment._get_file_writer().add_summary(summary)

    def end(self) -> LogEnd:
        """The end of the log, after a flush; only the first process may ask."""
        end = self.experiment.events.end
        return {"step": end["step"], "events": [*end["events"]]}

    def save(self) -> None:
        """Writes the options of the run next to the events."""
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
