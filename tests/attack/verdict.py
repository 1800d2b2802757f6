"""Runs a verb on something hostile in this process, and says whether it held."""

import contextlib
import importlib
import io
import resource
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

SECONDS = 60
MEMORY = 3 * 2**30
"""Bytes of address space beyond what the process has already."""

ALLOWED = (None, 0, 2, 130)
"""Exit codes: what was asked for was done, or refused."""


class Attack(NamedTuple):
    """One hostile input.

    Args:
        kind: What sort of attack it is.
        name: Which one.
        words: The verb and its arguments.
        prepare: Makes what the words name.
    """

    kind: str
    name: str
    words: Sequence[str]
    prepare: Callable[[], Any] = lambda: None


class TooLong(BaseException):
    """A verb hangs."""


def outcome(attack: Attack, here: Path) -> str:
    """What went wrong; empty where the attack was refused in a sentence, or did no harm.

    Args:
        attack: To try.
        here: The current folder, in which alone the verb may write.
    """
    attack.prepare()
    outside = {path.name for path in here.parent.iterdir()}
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            with _bounded():
                code = importlib.import_module(f"seqlab.{attack.words[0]}").main([*attack.words[1:]])
        except SystemExit as stop:
            code = stop.code
        except BaseException as error:
            return "".join(traceback.format_exception(error)).strip()[-1500:]
    if code not in ALLOWED or "Traceback" in err.getvalue():
        return f"exit code {code}: {err.getvalue()[-500:]}"
    if code == 2 and err.getvalue().count("\nseqlab: ") + err.getvalue().startswith("seqlab: ") < 1:
        return f"no sentence: {err.getvalue()[-500:]}"
    if (here / "PLANTED").exists():
        (here / "PLANTED").unlink()
        return "planted code ran"
    if strange := {path.name for path in here.parent.iterdir()} - outside:
        return f"wrote {', '.join(strange)} outside"
    return ""


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    def ring(*_: Any) -> None:
        raise TooLong(f"no end after {SECONDS} s")

    before, limits = signal.signal(signal.SIGALRM, ring), resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, limits[1]))
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, limits)
