import errno
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seqlab.cli.unread import lasting_output, ready_streams

Command = Callable[..., Any]


def unread() -> Any:
    """A pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    return os.fdopen(writing, "w")


def test_what_nobody_reads_ends_nothing_and_is_said_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with unread() as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        with lasting_output():
            for _ in range(3):
                print("a line", flush=True)
            assert not sys.stdout.isatty()
        assert sys.stdout is pipe
        print("more", flush=True)
    assert capsys.readouterr().err == "seqlab: stdout cannot be written to any more; the work goes on\n"


def test_both_streams_may_be_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    with unread() as out, unread() as err:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        with lasting_output():
            for stream in (sys.stdout, sys.stderr):
                stream.writelines(["a\n", "b\n"])
                stream.flush()


def test_a_full_disk_under_the_log_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def flush(self) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def fileno(self) -> int:
            raise OSError

    monkeypatch.setattr(sys, "stdout", Full())
    with lasting_output():
        print("a line", flush=True)


def test_without_a_stream() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        with lasting_output():
            print("a line")


def test_a_run_whose_output_nobody_reads_is_finished(
    verb: Command, small: list[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with unread() as out:
        monkeypatch.setattr(sys, "stdout", out)
        assert verb("fit", *small, "--run", "heard", "--trainer.max_epochs", "2", "--bar", "none").code == 0
    assert (here / "lightning_logs" / "heard" / "result.json").is_file()


def test_a_process_without_streams_is_given_empty_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    ready_streams()
    print("a line")
    print("a line", file=sys.stderr)
    assert sys.stdin.read() == ""


def test_what_an_output_cannot_spell_is_spelled_out(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    ready_streams()
    print("é \ud800", flush=True)
    assert written.getvalue() == rb"\xe9 \ud800" + b"\n"
