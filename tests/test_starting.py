import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import seqlab
from seqlab.cli.process import run_verb
from seqlab.starting import stop_at_once, stop_while_importing


def heed_interrupts() -> None:
    """In a new process, also where a shell that started the tests in the background has it ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


INTERRUPTED = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nprint('went on', flush=True)\n"


@pytest.mark.parametrize("words", [*([f"seqlab.{verb}"] for verb in seqlab.VERBS), ["seqlab", "compare"]], ids=" ".join)
def test_an_interrupted_import_ends_with_a_sentence(words: list[str], tmp_path: Path) -> None:
    for name in ("jsonargparse", "lightning", "torch"):
        (tmp_path / f"{name}.py").write_text(INTERRUPTED)
    path = os.pathsep.join((str(tmp_path), str(Path(seqlab.__file__).parents[1])))
    command = [sys.executable, "-m", *words]
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        command, env=environment, preexec_fn=heed_interrupts, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "\nseqlab: stopped\n")


def test_a_running_verb_is_interrupted_as_any_program() -> None:
    handlers = []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        stop_while_importing()
        assert signal.getsignal(signal.SIGINT) is stop_at_once
        run_verb(lambda _: handlers.append(signal.getsignal(signal.SIGINT)), [])
        assert handlers == [signal.default_int_handler]
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stop_while_importing()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_program_that_imports_the_package_keeps_its_handler() -> None:
    code = "import signal, seqlab.errors; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, preexec_fn=heed_interrupts, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "True\n"
