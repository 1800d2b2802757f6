import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import seqlab
from seqlab.cli.process import run_verb
from seqlab.starting import IMPORTING, USUAL, begin_imports, fast_imports, stop_at_once


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
        begin_imports()
        assert signal.getsignal(signal.SIGINT) is stop_at_once
        run_verb(lambda _: handlers.append(signal.getsignal(signal.SIGINT)), [])
        assert handlers == [signal.default_int_handler]
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        begin_imports()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
        gc.set_threshold(*USUAL)
        gc.unfreeze()


def test_imports_are_no_garbage_and_what_follows_is_collected() -> None:
    code = """if True:
        import gc
        from seqlab.cli.process import run_verb
        from seqlab.starting import IMPORTING, USUAL, begin_imports
        begin_imports()
        print(gc.get_threshold() == IMPORTING, gc.get_freeze_count())
        run_verb(lambda _: print(gc.get_threshold() == USUAL, gc.get_freeze_count() > 1000), [])
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "True 0\nTrue True\n"


def test_a_program_keeps_its_garbage_collector() -> None:
    run_verb(lambda _: None, [])
    assert (gc.get_threshold(), gc.get_freeze_count()) == (USUAL, 0)
    gc.set_threshold(500, 5, 5)
    try:
        with fast_imports():
            assert gc.get_threshold() == IMPORTING
        assert gc.get_threshold() == (500, 5, 5)
        run_verb(lambda _: None, [])
        assert (gc.get_threshold(), gc.get_freeze_count()) == ((500, 5, 5), 0)
    finally:
        gc.set_threshold(*USUAL)


def test_a_program_that_imports_the_package_keeps_its_handler() -> None:
    code = "import signal, seqlab.errors; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, preexec_fn=heed_interrupts, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "True\n"
