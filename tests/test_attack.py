import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from attack.collection import KINDS
from attack.verdict import SORTS, Attack, outcome

ROOT = Path(__file__).parents[1]
Run = Callable[[Sequence[str]], int]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    return tmp_path / "outer" / "inner"


def refuses(words: Sequence[str]) -> int:
    print("seqlab: that cannot be; do this", file=sys.stderr)
    return 2


def raises(words: Sequence[str]) -> int:
    raise ValueError("unforeseen")


def dies(words: Sequence[str]) -> int:
    os.kill(os.getpid(), signal.SIGBUS)
    return 0


def says_nothing_of_use(words: Sequence[str]) -> int:
    print("usage: seqlab", file=sys.stderr)
    return 2


@pytest.mark.parametrize("run", [raises, dies, says_nothing_of_use], ids=lambda run: run.__name__)
def test_what_brings_a_verb_down_is_seen(run: Run, here: Path) -> None:
    fault = outcome(Attack("one", ["fit"]), here, run)
    assert fault is not None
    assert fault.sort == "crashed"


def test_a_refusal_holds_and_a_deed_only_where_it_may(here: Path) -> None:
    assert outcome(Attack("one", ["fit"], refused=True), here, refuses) is None
    assert outcome(Attack("one", ["fit"]), here, lambda words: 0) is None
    fault = outcome(Attack("one", ["fit"], refused=True), here, lambda words: 0)
    assert fault is not None
    assert fault.sort == "done anyway"


def test_what_is_lost_or_written_elsewhere_is_seen(here: Path) -> None:
    kept = here / "kept"
    kept.touch()
    attack = Attack("one", ["fit"], lost=lambda: "" if kept.exists() else "it is gone")
    assert outcome(attack, here, lambda words: kept.unlink() or 0) == ("lost", "it is gone")
    fault = outcome(attack, here, lambda words: (here.parent / "escaped").touch() or 0)
    assert fault == ("escaped", "wrote escaped outside")
    fault = outcome(attack, here, lambda words: (here / "PLANTED").touch() or 0)
    assert fault == ("escaped", "planted code ran")


def test_what_hangs_is_ended(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attack.verdict.SECONDS", 1)
    fault = outcome(Attack("one", ["fit"]), here, lambda words: time.sleep(50) or 0)
    assert fault is not None
    assert fault.sort == "hung"


@pytest.mark.slow
def test_attacks_of_every_kind_are_refused_or_do_no_harm() -> None:
    words = [sys.executable, "-m", "tests.attack", "--each", "1"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("|")]
    assert {row[0] for row in rows[2:]} == {*KINDS}
    assert all(row[2:] == ["0"] * len(SORTS) for row in rows[2:])
