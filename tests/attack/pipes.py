"""Outputs that nobody reads: pipes whose reader has gone, and terminals that were shut while a bar moves on them."""

import os
import pty
import signal
import sys
from collections.abc import Callable, Iterator

from .sound import DATA, Sound, fit_of
from .verdict import Attack


def _unread_pipe() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def _shut_terminal() -> int:
    outer, inner = pty.openpty()
    os.close(outer)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return inner


def _instead(make: Callable[[], int], which: tuple[int, ...]) -> None:
    nowhere = make()
    for number in which:
        os.dup2(nowhere, number)


def _closed(which: tuple[int, ...]) -> None:
    """No such stream at all, as Python has it then."""
    for number in which:
        os.close(number)
        setattr(sys, ("stdin", "stdout", "stderr")[number], None)


def pipes(sound: Sound) -> Iterator[Attack]:
    """Every verb with outputs that nobody reads; training goes on to its end, and its result stands."""
    good = {task: str(path) for task, path in sound.good.items()}
    bar = ("--trainer.enable_progress_bar", "true")
    asked = [[*fit_of(task), *bar, "--run", "again"] for task in DATA]
    asked += [["evaluate", good["language"]], ["generate", good["language"]], ["translate", good["translation"], "go"]]
    asked += [["predict", good["tagging"], "a"], ["corpus", *DATA["language"]], ["inspect", good["language"]]]
    asked += [["export", good["language"], "--output", "made"], ["fit", "--help"], ["fit", "--model", "grru"]]
    asked += [["memory", "--model", "rnn", "--lengths", "3", "--max_steps", "2"]]
    for words in asked:
        for name, make in (("an unread pipe", _unread_pipe), ("a shut terminal", _shut_terminal)):
            for which in ((1,), (2,), (1, 2)):
                lost = (lambda: _unfinished(sound)) if "--run" in words else (lambda: "")
                shown = f"{' '.join(words)[:70]}: {name} for {which}"
                yield Attack(shown, words, befalls=lambda m=make, w=which: _instead(m, w), lost=lost)
        for which in ((0,), (1,), (2,), (0, 1, 2)):
            yield Attack(f"{' '.join(words)[:70]}: none of {which}", words, befalls=lambda w=which: _closed(w))


def _unfinished(sound: Sound) -> str:
    """That a run has no result."""
    return "" if (sound.run("again") / "result.json").is_file() else "the run did not end with its result"
