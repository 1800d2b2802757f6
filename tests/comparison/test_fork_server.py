import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from seqlab.comparison.fork_server import LONGEST, ForkServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the server is for Linux")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    """A server in a folder with modules of its own, which has imported one that nothing else needs."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "told.py").write_text(
        "import os, sys, threading\n"
        "import __main__\n"
        "print(sys.argv[1:], __name__, __main__.__spec__.name, 'xmlrpc.client' in sys.modules, flush=True)\n"
        "print(os.getpid() == os.getpgrp(), threading.active_count(), sys.stdin.read())\n"
    )
    (folder / "fails.py").write_text("import atexit\natexit.register(print, 'at exit')\nraise ValueError('odd')\n")
    (folder / "waits.py").write_text("import pathlib, time\ntime.sleep(1)\npathlib.Path('waited').touch()\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        server = ForkServer({**os.environ, "PYTHONUNBUFFERED": "1"}, ["xmlrpc.client"])
        yield server
        server.close()


def said(server: ForkServer, log: Path, *words: str) -> tuple[int, str]:
    with log.open("wb") as file:
        code = server.start(words, file.fileno(), file.fileno()).wait()
    return code, log.read_text()


def test_a_module_is_run_as_python_runs_it(server: ForkServer, tmp_path: Path) -> None:
    code, words = said(server, tmp_path / "log", "told", "--name", "ä b")
    assert (code, words) == (0, "['--name', 'ä b'] __main__ told True\nTrue 1 \n")


def test_a_failure_is_told_as_python_tells_it(server: ForkServer, tmp_path: Path) -> None:
    code, words = said(server, tmp_path / "log", "fails")
    assert code == 1
    assert "Traceback" in words
    assert words.endswith("ValueError: odd\nat exit\n")
    assert said(server, tmp_path / "log", "nowhere")[0] == 1


def open_files() -> list[str]:
    return os.listdir("/proc/self/fd")


def test_a_failed_start_leaves_no_file_open(
    server: ForkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "log").open("wb") as file:
        ended = ForkServer(os.environ, ["no_such_module"])
        before = open_files()
        with pytest.raises(OSError, match="Message too long"):
            server.start(["a" * 2 * LONGEST], file.fileno(), file.fileno())
        with pytest.raises(OSError):
            ended.start(["told"], file.fileno(), file.fileno())
        assert open_files() == before
        ended.close()
        before = open_files()
        monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
        with pytest.raises(FileNotFoundError):
            ForkServer(os.environ, [])
        assert open_files() == before


def test_processes_side_by_side_outlive_the_server(server: ForkServer, tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        running = [server.start(["waits"], file.fileno(), file.fileno()) for _ in range(2)]
        assert len({one.pid for one in running}) == 2
    server.close()
    assert [one.wait() for one in running] == [0, 0]
    assert Path("waited").exists()
    with pytest.raises(OSError), (tmp_path / "log").open("wb") as file:
        server.start(["told"], file.fileno(), file.fileno())
