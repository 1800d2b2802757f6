"""Events for TensorBoard, each written completely or not at all: a full disk ends only the log."""

import os
import socket
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard.writer import FileWriter, SummaryWriter

from seqlab.errors import reason_of
from seqlab.runs.schema import LogEnd

VERSION = "brain.Event:2"
NAMED = "events.out.tfevents."
NUMBERS = count()


def _next_second(folder: Path) -> int:
    """The time in seconds, or one later than in the names of all files of events there.

    TensorBoard reads files in the order of their names, and drops what seems to be older than what it has read.
    """
    named = (path.name.removeprefix(NAMED).split(".")[0] for path in folder.glob(f"{NAMED}*"))
    return max([int(time.time()), *(int(second) + 1 for second in named if second.isdecimal())])


class Events:
    """A file of events. If an event cannot be written, it prints one message and drops this event and all later ones.

    ``end`` is the end of the written events.

    Args:
        folder: Folder of the file, created if needed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.lost = folder, False
        self.end: LogEnd = {"step": -1, "events": []}
        self._file: Any = None

    def get_logdir(self) -> str:
        """Folder of the events."""
        return str(self.folder)

    def add_event(self, event: Event) -> None:
        """Writes an event."""
        if event.HasField("summary"):
            if event.step > self.end["step"]:
                self.end = {"step": event.step, "events": []}
            if event.step == self.end["step"]:
                self.end["events"].append(event.SerializeToString())
        if self.lost:
            return
        try:
            self._write(event)
        except OSError as error:
            self.lost = True
            words = f"the log in {self.folder} ends here: {reason_of(error)}; training goes on"
            print(f"seqlab: {words}", file=sys.stderr)

    def write(self, record: bytes) -> None:
        """Writes a record, completely or not at all.

        Raises:
            OSError: The disk is full.
        """
        begin, left = self._file.tell(), memoryview(record)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError:
            self._file.truncate(begin)
            raise

    def _write(self, event: Event) -> None:
        if self._file is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            name = f"{NAMED}{_next_second(self.folder):010d}.{socket.gethostname()}.{os.getpid()}.{next(NUMBERS)}"
            self._file = (self.folder / name).open("wb", buffering=0)
            self._write(Event(wall_time=time.time(), file_version=VERSION))
        RecordWriter(self).write(event.SerializeToString())

    def flush(self) -> None:
        """Does nothing, since every event is written at once."""

    def reopen(self) -> None:
        """Lets the next event open a new file."""

    def close(self) -> None:
        """Ends the file."""
        if self._file is not None:
            self._file.close()
        self._file = None


class Writer(SummaryWriter):
    """TensorBoard's own object, through ``Events``.

    Args:
        folder: Folder of the log.
        purge_step: First step of earlier entries that TensorBoard hides.
    """

    file_writer: Any
    all_writers: Any

    def __init__(self, folder: str, purge_step: int | None = None) -> None:
        self.events = Events(Path(folder))
        super().__init__(log_dir=folder, purge_step=purge_step)

    def _get_file_writer(self) -> Any:
        if self.file_writer is None:
            self.file_writer = _Through(self.events)
            self.all_writers = {self.log_dir: self.file_writer}
            if self.purge_step is not None:
                started = SessionLog(status=SessionLog.START)
                self.file_writer.add_event(Event(step=self.purge_step, file_version=VERSION))
                self.file_writer.add_event(Event(step=self.purge_step, session_log=started))
                self.purge_step = None
        return self.file_writer


class _Through(FileWriter):
    def __init__(self, events: Events) -> None:
        self.event_writer = events
