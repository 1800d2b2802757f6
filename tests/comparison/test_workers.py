import os
import signal
import threading
import time
from pathlib import Path

import pytest

from seqlab.comparison import workers
from seqlab.comparison.workers import Processes, interruptible, last_line, sole, threads_of_each
from seqlab.errors import UserError


@pytest.mark.parametrize(
    ("jobs", "asked", "threads"),
    [(1, "", 8), (2, "", 4), (3, "", 2), (9, "", 1), (2, "3", 3), (2, "99", 4), (2, "x", 4)],
)
def test_cores_are_shared(jobs: int, asked: str, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert threads_of_each(jobs) == threads


def test_one_comparison_in_a_folder_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "of" / "comparison"
    with sole(folder), pytest.raises(UserError, match="^another comparison, or a run that it left behind, is still at"):  # noqa: SIM117
        with sole(folder):
            pass
    with sole(folder):
        pass
    (tmp_path / "taken").touch()
    with (
        pytest.raises(UserError, match="^nothing can be kept in .*taken: .*; choose another --output$"),
        sole(tmp_path / "taken"),
    ):
        pass


@pytest.fixture(params=["forked", "started"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes as they begin under Linux and elsewhere; the server imports nothing beforehand."""
    if request.param == "forked" and not workers.LINUX:
        pytest.skip("the server is for Linux")
    monkeypatch.setattr(workers, "LINUX", request.param == "forked")
    monkeypatch.setattr(workers, "IMPORTED", ())


def script(here: Path, code: str) -> list[str]:
    """A module in the current folder."""
    (here / "script.py").write_text(code)
    return ["script"]


@pytest.mark.usefixtures("kind")
def test_a_process_that_outlives_the_comparison_keeps_its_folder(here: Path) -> None:
    words = script(here, "import time; time.sleep(60)")
    with sole(here) as lock:
        processes = Processes(1, lock)
        waiting = threading.Thread(target=processes.run, args=(words, here / "log"))
        waiting.start()
        while not processes._running:
            time.sleep(0.01)
        processes.close()
    with pytest.raises(UserError, match="a run that it left behind"), sole(here):
        pass
    processes.stop(signal.SIGKILL)
    waiting.join()
    with sole(here):
        pass


@pytest.mark.usefixtures("kind")
def test_commands_their_output_and_their_codes(here: Path) -> None:
    log, processes = here / "log", Processes(1, 0)
    shown = "print(os.environ['OMP_NUM_THREADS']); print('err', file=sys.stderr); sys.exit(3)"
    log.write_text("before\n")
    assert processes.run(script(here, f"import os, sys; {shown}"), log) == 3
    assert log.read_text().splitlines() == ["before", str(threads_of_each(1)), "err"]
    ended = script(here, "import os, signal; os.kill(os.getpid(), signal.SIGTERM)")
    assert processes.run(ended, log) == -signal.SIGTERM
    processes.stop()
    assert processes.run(script(here, "print(1)"), log) is None
    processes.close()


def test_signals_become_an_exception_and_are_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), interruptible():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_last_line_with_words(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"seqlab: old\nx\nseqlab: out of memory \xff\n\n  \n")
    assert last_line(log) == "out of memory \N{REPLACEMENT CHARACTER}"
    assert last_line(log, len(log.read_bytes()) - 3) == ""
