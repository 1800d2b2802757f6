"""Handling of output streams that nobody reads any more."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any


class _Lasting:
    """A stream that drops text it cannot write, after one message on the other stream."""

    def __init__(self, stream: Any, name: str, say: Any) -> None:
        self._stream, self._name, self._say = stream, name, say
        self._broken = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        if not self._broken:
            try:
                return int(self._stream.write(text))
            except OSError:
                self._give_up()
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if not self._broken:
            try:
                self._stream.flush()
            except OSError:
                self._give_up()

    def _give_up(self) -> None:
        self._broken = True
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())  # buffered text goes there too
            os.close(nowhere)
            print(f"seqlab: {self._name} cannot be written to any more; the work goes on", file=self._say, flush=True)
        except (OSError, ValueError):
            return


def ready_streams() -> None:
    """Prepares the streams of this process for any output.

    A missing stream becomes an empty one, so that no opened file takes its number; characters outside an output's
    encoding are escaped.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


@contextmanager
def lasting_output() -> Iterator[None]:
    """A context in which a closed or full stdout or stderr does not end the process."""
    out, err = sys.stdout, sys.stderr
    if out is not None:
        sys.stdout = _Lasting(out, "stdout", err)
    if err is not None:
        sys.stderr = _Lasting(err, "stderr", out)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        sys.stdout, sys.stderr = out, err
