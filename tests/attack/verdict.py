"""Runs a verb on something hostile in a process of its own, and says whether it held."""

import importlib
import os
import resource
import selectors
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

SECONDS = 60
"""After which a verb hangs."""

MEMORY = 3 * 2**30
"""Bytes of address space beyond what the process has already."""

SCARCE = "there is not enough memory"
"""What a verb says that has tried to take more than there is."""

ALLOWED = (0, 2, 130)
"""Exit codes: what was asked for was done, or refused."""

SORTS = ("done anyway", "lost", "escaped", "crashed", "hung")
"""How an attack can succeed."""


class Attack(NamedTuple):
    """One hostile input.

    Args:
        name: Which one.
        words: The verb and its arguments.
        prepare: Makes what the words name.
        befalls: What happens to the process of the verb before it begins.
        lost: Says afterwards what was lost; empty if nothing.
        refused: Whether it must be refused, so that harmless is not enough.
    """

    name: str
    words: Sequence[str]
    prepare: Callable[[], Any] = lambda: None
    befalls: Callable[[], Any] = lambda: None
    lost: Callable[[], str] = lambda: ""
    refused: bool = False


class Fault(NamedTuple):
    """How an attack succeeded.

    Args:
        sort: One of ``SORTS``.
        words: What was seen.
    """

    sort: str
    words: str


class End(NamedTuple):
    """How a verb ended.

    Args:
        status: As ``os.waitpid`` gives it.
        out: What stood on its standard output.
        err: And on its standard error.
    """

    status: int
    out: str
    err: str


def run_verb(words: Sequence[str]) -> int | None:
    """What the command does, but for the interpreter that it starts."""
    return importlib.import_module(f"seqlab.{words[0]}").main([*words[1:]])


def outcome(attack: Attack, here: Path, run: Callable[[Sequence[str]], int | None] = run_verb) -> Fault | None:
    """What went wrong; None where the attack was refused in a sentence, or did no harm.

    Args:
        attack: To try.
        here: The current folder, in which alone the verb may write.
        run: Runs a verb with its arguments.
    """
    attack.prepare()
    outside = {path.name for path in here.parent.iterdir()}
    end = _ended(attack, run)
    planted = here / "PLANTED"
    if planted.exists():
        planted.unlink()
        return Fault("escaped", "planted code ran")
    if strange := {path.name for path in here.parent.iterdir()} - outside:
        return Fault("escaped", f"wrote {', '.join(strange)} outside")
    fault = _judged(attack, end)
    words = "" if fault is not None else attack.lost()
    return Fault("lost", words) if words else fault


def _judged(attack: Attack, end: End) -> Fault | None:
    """What the end of the process alone says."""
    said = "\n".join(
        line[:160] for line in (*end.out.splitlines()[-3:], *end.err.splitlines()[-8:]) if "^^^" not in line
    )
    if os.WIFSIGNALED(end.status):
        number = os.WTERMSIG(end.status)
        hung = number in (signal.SIGALRM, signal.SIGKILL)
        sort, words = ("hung", f"no end after {SECONDS} s") if hung else ("crashed", signal.Signals(number).name)
        return Fault(sort, f"{words}: {said}")
    code = os.WEXITSTATUS(end.status)
    if code not in ALLOWED or "Traceback (most" in end.err or "Exception ignored" in end.err:
        return Fault("crashed", f"exit code {code}: {said}")
    if SCARCE in end.err:
        return Fault("hung", f"took {MEMORY / 2**30:g} GiB: {said}")
    sentences = sum(line.startswith("seqlab: ") for line in end.err.splitlines())
    if code == 2 and not sentences and end.err:
        return Fault("crashed", f"no sentence: {said}")
    return Fault("done anyway", said) if attack.refused and code != 2 else None


def _ended(attack: Attack, run: Callable[[Sequence[str]], int | None]) -> End:
    (out, to_out), (err, to_err) = os.pipe(), os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    if not (process := os.fork()):
        _become(attack, run, to_out, to_err)
    os.close(to_out)
    os.close(to_err)
    said = _read(out, err)
    _kill(process)
    return End(os.waitpid(process, 0)[1], *said)


def _read(*pipes: int) -> list[str]:
    """What comes through pipes until they are shut, or time is up."""
    parts: dict[int, list[bytes]] = {pipe: [] for pipe in pipes}
    until = time.monotonic() + SECONDS + 5
    with selectors.DefaultSelector() as ready:
        for pipe in pipes:
            ready.register(pipe, selectors.EVENT_READ)
        while ready.get_map() and time.monotonic() < until:
            for key, _ in ready.select(1):
                if part := os.read(key.fd, 2**16):
                    parts[key.fd].append(part)
                else:
                    ready.unregister(key.fd)
    for pipe in pipes:
        os.close(pipe)
    return [b"".join(part).decode(errors="replace") for part in parts.values()]


def _kill(process: int) -> None:
    """Ends what is left of a process and of those that it started, once it had a moment to end by itself."""
    for _ in range(500):
        if os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            break
        time.sleep(0.002)
    os.killpg(process, signal.SIGKILL)


def _become(attack: Attack, run: Callable[[Sequence[str]], int | None], out: int, err: int) -> NoReturn:
    """The life of the process of a verb."""
    code: Any = 70
    try:
        os.setsid()
        for number, target in enumerate((os.open(os.devnull, os.O_RDONLY), out, err)):
            os.dup2(target, number)
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode) for number, mode in enumerate("rww"))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(SECONDS)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        tempfile.tempdir = None
        attack.befalls()
        code = run(attack.words) or 0
        sys.stdout.flush()
    except SystemExit as stop:
        code = stop.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stderr.flush()
        finally:
            os._exit(code if isinstance(code, int) else 1)
