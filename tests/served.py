"""Processes of tests that do not import torch and Lightning anew: a server has imported them, and forks.

    python -m served FOLDER ERRORS ENVIRONMENT MODULE [ARGUMENT ...]

is what a forked process does first: it goes to a folder, opens a file for its messages, and runs the module.
"""

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqlab.comparison.fork_server import ForkServer
from seqlab.comparison.workers import IMPORTED, LINUX


class Served:
    """Starts processes of Python; elsewhere than under Linux they import all that they need.

    Args:
        environment: Of the server, which is started with the first process.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [environment.get("PYTHONPATH")])])
        self.environment = {**environment, "PYTHONPATH": path}
        self._server: ForkServer | None = None

    def start(
        self,
        *words: str,
        cwd: Path,
        output: int,
        errors: str = "",
        environment: Mapping[str, str] | None = None,
        inherited: int = 2,
    ) -> Any:
        """Runs ``python -m WORDS`` as the leader of a process group.

        Args:
            words: The module and its arguments.
            cwd: Its folder.
            output: Descriptor of its outputs.
            errors: File for its messages, if they do not go to ``output``.
            environment: Its environment, if it is not the server's.
            inherited: One more descriptor that it keeps open.

        Returns:
            The process, with its ``pid`` and ``wait()`` for its exit code.
        """
        told = {**(environment or self.environment)}
        if not LINUX:
            errs = open(errors, "ab") if errors else subprocess.STDOUT  # noqa: PTH123, SIM115
            command = [sys.executable, "-m", *words]
            return subprocess.Popen(
                command, cwd=cwd, env=told, stdout=output, stderr=errs, pass_fds=(inherited,), process_group=0
            )
        self._server = self._server or ForkServer(self.environment, IMPORTED)
        return self._server.start(["served", str(cwd), errors, json.dumps(told), *words], output, inherited)

    def lent(self, environment: Mapping[str, str], imported: Sequence[str]) -> "Lent":
        """What stands for the ``ForkServer`` that a comparison starts."""
        return Lent(self, environment)

    def close(self) -> None:
        """Ends the server, not its processes."""
        if self._server is not None:
            self._server.close()


class Lent:
    """Starts the runs of a comparison; closing it leaves the server to others."""

    def __init__(self, served: Served, environment: Mapping[str, str]) -> None:
        self._served, self._environment = served, environment

    def start(self, words: Sequence[str], output: int, inherited: int) -> Any:
        here = {"cwd": Path.cwd(), "environment": self._environment}
        return self._served.start(*words, output=output, inherited=inherited, **here)

    def close(self) -> None:
        pass


def main() -> None:
    """Does what the command line says."""
    _, folder, errors, environment, *words = sys.argv
    os.environ.clear()
    os.environ.update(json.loads(environment))
    os.chdir(folder)
    sys.path[0] = folder
    if errors:
        os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), 2)
    sys.modules.pop(words[0], None)
    sys.argv = words
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
