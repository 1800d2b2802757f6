"""A process that imports once what many others need, and forks each of them: none waits for imports of seconds.

    python -m seqlab.comparison.fork_server CHANNEL [MODULE ...]

The server is started afresh, so that it has one thread and has computed nothing when it forks. It imports the modules,
listens on the descriptor ``CHANNEL``, a socket, and ends when the other end is closed; what it forked goes on.
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import BinaryIO

from seqlab.starting import fast_imports

LONGEST = 1 << 20
"""Bytes of a message: the words of a command line."""


class Forked:
    """A process of the server, as ``subprocess.Popen`` gives a child: its ``pid``, and ``wait`` for its exit code.

    Args:
        reports: Pipe from which its number and its exit code are read.

    Raises:
        ChildProcessError: The server ended before it forked.
    """

    def __init__(self, reports: BinaryIO) -> None:
        self._reports = reports
        number = reports.readline()
        if not number:
            raise ChildProcessError("the process that starts the runs has ended")
        self.pid = int(number)

    def wait(self) -> int:
        """The exit code, or minus the number of the signal that ended it; that of SIGKILL if nobody can say."""
        with self._reports:
            return int(self._reports.readline() or -signal.SIGKILL)


class ForkServer:
    """Starts the server; Linux only.

    Args:
        environment: Of the server and all its processes.
        imported: Modules that it imports.
    """

    def __init__(self, environment: Mapping[str, str], imported: Sequence[str]) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, contextlib.ExitStack() as failed:
            failed.enter_context(self._channel)
            self._channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LONGEST)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "seqlab.comparison.fork_server", str(theirs.fileno()), *imported],
                stdin=subprocess.DEVNULL,
                env=environment,
                pass_fds=(theirs.fileno(),),
                process_group=0,
            )
            failed.pop_all()

    def start(self, words: Sequence[str], output: int, inherited: int) -> Forked:
        """Runs ``python -m WORDS`` as the leader of a process group.

        Args:
            words: The module and its arguments.
            output: Descriptor for both its outputs.
            inherited: One more descriptor that it keeps open.

        Raises:
            OSError: The server has ended, or the words are too long.
        """
        reading, writing = os.pipe()
        with contextlib.ExitStack() as failed:
            reports = failed.enter_context(os.fdopen(reading, "rb"))
            with os.fdopen(writing, "wb"):
                socket.send_fds(self._channel, [json.dumps([*words]).encode()], [output, inherited, writing])
            forked = Forked(reports)
            failed.pop_all()
            return forked

    def close(self) -> None:
        """Ends the server, not its processes."""
        self._channel.close()
        self._process.wait()


def serve(channel: socket.socket) -> list[str] | None:
    """Forks for each message until the channel is closed.

    Returns:
        In the server None, in a process that it forked the words that this is to run.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, descriptors, *_ = socket.recv_fds(channel, LONGEST, 3)
        if not message:
            return None
        if os.fork() == 0:
            channel.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return _attend(json.loads(message), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _attend(words: list[str], output: int, inherited: int, reports: int) -> list[str]:
    """Forks a run, which returns its words, and ends with it; reports the run's number and its exit code."""
    run = os.fork()
    if run == 0:
        os.close(reports)
        os.setpgid(0, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        return words
    with contextlib.suppress(OSError):  # the run was faster
        os.setpgid(run, run)
    os.close(output)
    os.close(inherited)
    with contextlib.suppress(BrokenPipeError):
        os.write(reports, f"{run}\n".encode())
        os.write(reports, f"{os.waitstatus_to_exitcode(os.waitpid(run, 0)[1])}\n".encode())
    os._exit(0)


def main() -> None:
    """Serves as the command line says; in each forked process, does what ``python -m`` does."""
    _, channel, *modules = sys.argv
    with fast_imports():
        for name in modules:
            importlib.import_module(name)
    gc.freeze()
    words = serve(socket.socket(fileno=int(channel)))
    if words is not None:
        sys.modules.pop(words[0], None)
        sys.argv = words
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
