"""A verb as a process: its exit code, and one sentence for an error that the user can fix."""

import contextlib
import errno
import os
import re
import sys
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any

from seqlab.cli.parser import typed
from seqlab.cli.unread import lasting_output, ready_streams
from seqlab.errors import UserError, reason_of
from seqlab.starting import end_imports

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
"""Error numbers of a full disk or a failed write."""

NO_PLACE = (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EACCES, errno.EPERM)
"""Error numbers of an invalid path."""

OUT_OF_MEMORY = re.compile("can't allocate memory|out of memory|storage size calculation overflowed")


def run_verb(verb: Callable[[list[str]], int | None], argv: list[str] | None, lasting: bool = False) -> int:
    """Runs a verb as a process: an error that the user can fix gives one sentence on stderr and code 2.

    Args:
        verb: Takes the arguments after the program's name; may return an exit code.
        argv: These arguments; those of this process if not given.
        lasting: Whether it continues when nobody reads its output any more, except for help and configurations.

    Returns:
        The exit code.
    """
    arguments = sys.argv[1:] if argv is None else argv
    ready_streams()
    try:
        end_imports()
        with lasting_output() if lasting and not asks_for_words(arguments) else nullcontext():
            code = verb(arguments) or 0
            sys.stdout.flush()
            return code
    except UserError as error:
        _say(f"seqlab: {_as_typed(' '.join(str(error).split()), arguments)}")
        return 2
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not OUT_OF_MEMORY.search(str(error)):
            raise
        _say(f"seqlab: there is not enough memory: {reason_of(error)}; make it smaller")
        return 2
    except KeyboardInterrupt:
        _say("\nseqlab: stopped")
        return 130
    except BrokenPipeError:
        _leave(sys.stdout)
        return 0
    except OSError as error:
        if error.errno in NO_PLACE and error.filename is not None:
            _say(f"seqlab: {str(error.filename)[:60]!r} cannot be used: {reason_of(error)}; give another path")
            return 2
        if error.errno not in FULL:
            raise
        _leave(sys.stdout)
        _say(f"seqlab: {_place_of(error)}: {reason_of(error)}; make room, and do it again")
        return 2


def _as_typed(refusal: str, arguments: Iterable[str]) -> str:
    """An error message that begins with an option's name and value, with the name as typed on the command line."""
    name, value, *_ = (*refusal.split(maxsplit=2), "", "")
    for option, given in typed(arguments):
        if option[2:].rpartition(".")[2] == name and value == given:
            return f"{option} {refusal.removeprefix(name).lstrip()}"
    return refusal


def asks_for_words(arguments: Iterable[str]) -> bool:
    """Whether a command line only asks for help or a configuration."""
    return any(word == "-h" or word.startswith(("--help", "--print_")) for word in arguments)


def _say(words: str) -> None:
    try:
        print(words, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        _leave(sys.stderr)


def _place_of(error: OSError) -> str:
    return f"cannot write {error.filename}" if error.filename else "not all could be written"


def _leave(stream: Any) -> None:
    """Redirects a broken stream to nowhere, so that Python prints no error about it at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
