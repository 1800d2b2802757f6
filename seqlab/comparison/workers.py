"""Processes of runs: their number, how to stop them, and a lock of the comparison's folder."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from seqlab.comparison.fork_server import Forked, ForkServer
from seqlab.errors import UserError, reason_of

LOCK = ".comparison.lock"
LINUX = sys.platform == "linux"
IMPORTED = ("torch.utils.tensorboard", "torchmetrics", "seqlab.fit")
"""Modules that every run needs."""


def threads_of_each(jobs: int) -> int:
    """Threads per process for so many processes: an equal share of the cores, at most $OMP_NUM_THREADS."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores // jobs, int(asked) if asked.isdecimal() else cores))


@contextlib.contextmanager
def sole(folder: Path) -> Iterator[int]:
    """Locks a folder against other comparisons.

    Yields:
        A descriptor; the folder is locked as long as a process that inherited it lives.

    Raises:
        UserError: Another comparison, or a run that it left behind, uses the folder, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise UserError(f"nothing can be kept in {folder}: {reason_of(error)}; choose another --output") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise UserError(
            f"another comparison, or a run that it left behind, is still at work in {folder}; wait for it or end it"
        ) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class Processes:
    """Starts processes of Python, and stops them all at once.

    Under Linux they are forked by a server, which is started with the first.

    Args:
        jobs: Number of parallel processes.
        lock: Descriptor that the processes inherit.
    """

    def __init__(self, jobs: int, lock: int) -> None:
        self.stopping = False
        self._lock = lock
        self._server: ForkServer | None = None
        self._running: set[subprocess.Popen[bytes] | Forked] = set()
        self._guard = threading.Lock()
        self._environment = {
            **os.environ,
            "OMP_NUM_THREADS": str(threads_of_each(jobs)),
            "PYTHONUNBUFFERED": "1",
        }

    def run(self, words: Sequence[str], log: Path) -> int | None:
        """Runs ``python -m WORDS`` to its end, its output appended to a file.

        Returns:
            Its exit code, or minus the number of the signal that ended it; None if stopped before it began.
        """
        with log.open("ab") as file:
            with self._guard:
                if self.stopping:
                    return None
                process = self._start(words, file.fileno())
                self._running.add(process)
            code = process.wait()
        with self._guard:
            self._running.discard(process)
        return code

    def _start(self, words: Sequence[str], output: int) -> subprocess.Popen[bytes] | Forked:
        """A process in a group of its own: Ctrl-C reaches it only through ``stop``, not from the terminal."""
        if LINUX:
            self._server = self._server or ForkServer(self._environment, IMPORTED)
            return self._server.start(words, output, self._lock)
        return subprocess.Popen(
            [sys.executable, "-m", *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=self._environment,
            pass_fds=(self._lock,),
            process_group=0,
        )

    def close(self) -> None:
        """Gives up what was kept for more processes; those that run go on."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Starts no more processes, and sends a signal to the running ones."""
        with self._guard:
            self.stopping = True
            for process in self._running:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """SIGINT and SIGTERM raise KeyboardInterrupt, in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def last_line(log: Path, begin: int = 0) -> str:
    """The last line with text, from some byte on."""
    with log.open("rb") as file:
        file.seek(begin)
        lines = file.read().decode("utf-8", "replace").splitlines()
    return next((line.strip().removeprefix("seqlab: ") for line in reversed(lines) if line.strip()), "")
