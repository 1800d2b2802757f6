import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seqlab.errors import UserError
from seqlab.runs.lock import LOCK, STALE, check_untrained, sole_writer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "lightning_logs" / "one"


def test_one_writer_at_a_time_and_nothing_is_left(folder: Path) -> None:
    with sole_writer(folder):
        words = rf"process {os.getpid()} on {socket.gethostname()} trains the run one now, last seen 0 s ago"
        with pytest.raises(UserError, match=words), sole_writer(folder):
            pass
        with sole_writer(folder.with_name("another")):
            pass
    with sole_writer(folder):
        pass
    assert os.listdir(folder) == []


def test_it_may_be_taken_over(folder: Path) -> None:
    with sole_writer(folder), sole_writer(folder, take_over=True):
        pass


def test_the_lock_of_a_killed_process_holds_no_longer(folder: Path) -> None:
    code = f"""
import os, pathlib
from seqlab.runs.lock import sole_writer
with sole_writer(pathlib.Path({str(folder)!r})):
    os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert (folder / LOCK).exists()
    with sole_writer(folder):
        pass


@pytest.mark.parametrize(("age", "holds"), [(10.0, True), (STALE + 10, False)])
def test_another_machine_is_believed_for_five_minutes(folder: Path, age: float, holds: bool) -> None:
    folder.mkdir(parents=True)
    (folder / LOCK).write_text(json.dumps({"host": "elsewhere", "process": 7, "seen": time.time() - age}))
    if holds:
        with pytest.raises(UserError, match="process 7 on elsewhere trains the run one"), sole_writer(folder):
            pass
        with sole_writer(folder, take_over=True):
            pass
    else:
        with sole_writer(folder):
            pass


def test_what_stands_in_the_lock_is_not_trusted(folder: Path) -> None:
    folder.mkdir(parents=True)
    vast = '{"host": "a", "process": 1e400, "seen": 0}'
    for text in ("", "{", "[1]", '{"host": 3, "process": "x", "seen": null}', vast, "[" * 1000):
        (folder / LOCK).write_text(text)
        with sole_writer(folder):
            pass


def test_a_run_that_another_process_trains_is_seen_and_not_touched(folder: Path) -> None:
    check_untrained(folder)
    with sole_writer(folder):
        held = (folder / LOCK).read_text()
        with pytest.raises(UserError, match="trains the run one now"):
            check_untrained(folder)
        assert (folder / LOCK).read_text() == held
    check_untrained(folder)
    assert os.listdir(folder) == []
