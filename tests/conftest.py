import contextlib
import gc
import importlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import NamedTuple

from seqlab.comparison import workers
from seqlab.data import download
from seqlab.native.compiler import native, portable
from seqlab.starting import fast_imports

# isort: split
# seqlab comes first, for it says how long the threads of OpenMP spin before torch starts them
import pytest
import torch
from platformdirs import user_cache_dir
from served import Served

REPOSITORY = Path(__file__).parents[1]
STORY = Path(__file__).parent / "fixtures" / "story.txt"
CORPORA = Path(os.environ.get("SEQLAB_DATA") or REPOSITORY.parent / "shared" / "data")
SMALL = (
    *("--data", "text", "--data.path", str(STORY), "--data.batch_size", "8", "--data.num_steps", "16"),
    *("--model.hidden_size", "16", "--model.dropout", "0", "--trainer.accelerator", "cpu", "--trainer.max_epochs", "1"),
    *("--watch", "none", "--bar", "none"),
)
UNREACHABLE = "http://127.0.0.1:9"


def pytest_configure(config: pytest.Config) -> None:
    """Hides GPUs from all tests but those that are for one: numbers are compared to their last digits."""
    if config.option.markexpr != "gpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Leaves modules and tests to no garbage collection: nearly all of them stay until the end."""
    with fast_imports():
        result = yield
    gc.freeze()
    return result


class Finished(NamedTuple):
    """What a command left: its exit code, and the text of both its outputs."""

    code: int
    out: str
    err: str


Command = Callable[..., Finished]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Sums in one order, whatever the machine, and no oversubscription."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Numbers may be computed by two threads at once."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def small() -> list[str]:
    """Options of ``fit`` for a run of 19 steps in a third of a second."""
    return list(SMALL)


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Of a process that finds the corpora neither on this machine nor on the network."""
    home = tmp_path_factory.mktemp("home")
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    kept.pop("SEQLAB_DATA", None)
    cache = home / "cache" / "seqlab"
    cache.mkdir(parents=True)
    if [one for one in (native(), portable()) if one.library is not None]:
        (cache / "native").symlink_to(Path(user_cache_dir("seqlab")) / "native")
    own = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "OMP_NUM_THREADS": "1"}
    proxies = dict.fromkeys(["http_proxy", "https_proxy"], UNREACHABLE)
    return {**kept, **own, **proxies, "COLUMNS": "120", "PYTHONUNBUFFERED": "1"}


def kill(process: subprocess.Popen[str]) -> None:
    """Ends a process and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="session")
def served(environment: dict[str, str]) -> Iterator[Served]:
    """Starts processes in that environment which do not import torch anew."""
    served = Served(environment)
    yield served
    served.close()


@pytest.fixture(scope="session")
def forked(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """Runs ``python -m MODULE ...`` as a process of its own: ``forked("seqlab.fit", "--model", "gru", cwd=here)``."""

    def run(*words: str, cwd: Path) -> Finished:
        folder = tmp_path_factory.mktemp("forked")
        with (folder / "out").open("wb") as out:
            process = served.start(*words, cwd=cwd, output=out.fileno(), errors=str(folder / "err"))
            code = process.wait()
        return Finished(code, (folder / "out").read_text(), (folder / "err").read_text())

    return run


@pytest.fixture
def lent_server(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparisons of this process start their runs by that server instead of one of their own."""
    monkeypatch.setattr(workers, "ForkServer", served.lent)


@pytest.fixture(scope="session")
def shell(environment: dict[str, str]) -> Command:
    """Runs ``python ARGUMENTS``, or another program by its path, as a process of its own."""

    def run(*arguments: str, cwd: Path, program: str = sys.executable, timeout: float = 120, **env: str) -> Finished:
        process = subprocess.Popen(
            [program, *arguments],
            cwd=cwd,
            env={**environment, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            out, err = process.communicate(timeout=timeout)
        finally:
            kill(process)
        return Finished(process.returncode, out, err)

    return run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def verb(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a verb in this process and in an empty current folder: ``verb("fit", "--model", "gru")``."""
    monkeypatch.setenv("COLUMNS", "120")

    def run(name: str, *arguments: str) -> Finished:
        capsys.readouterr()
        try:
            code = importlib.import_module(f"seqlab.{name}").main(list(arguments))
        except SystemExit as stop:  # of --help
            code = stop.code
        return Finished(code, *capsys.readouterr())

    return run


@pytest.fixture
def refusal(verb: Command, here: Path) -> Callable[..., str]:
    """The one sentence on stderr, of a verb that refuses its command line and leaves no run behind."""

    def message(name: str, *arguments: str) -> str:
        finished = verb(name, *arguments)
        assert finished.code == 2, finished
        assert not list(here.glob("**/lightning_logs/*")), "a refused start leaves no run"
        return sentence(finished.err)

    return message


def sentence(err: str) -> str:
    assert "Traceback" not in err
    assert err.count("\n") == 1, err
    assert err.startswith("seqlab: "), err
    return err.removeprefix("seqlab: ").rstrip("\n")


@pytest.fixture(scope="session")
def story_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run on the story, with ``checkpoints/best.ckpt`` and ``last.ckpt``."""
    root = tmp_path_factory.mktemp("story")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        options = ["--run", "story", "--trainer.max_epochs", "2"]
        assert importlib.import_module("seqlab.fit").main([*SMALL, *options]) == 0
    return root / "lightning_logs" / "story"


@pytest.fixture
def story_root(story_run: Path, here: Path) -> Path:
    """The current folder, with a copy of that run in its ``lightning_logs``."""
    shutil.copytree(story_run, here / "lightning_logs" / "story")
    return here


@pytest.fixture
def corpusless(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """This process finds the corpora neither on this machine nor on the network, and asks once."""
    monkeypatch.setattr(download, "PAUSES", ())
    monkeypatch.delenv("SEQLAB_DATA", raising=False)
    for name in ("HOME", "XDG_CACHE_HOME", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, environment[name])


@pytest.fixture
def corpora(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Named corpora from the folder of this machine that has them; where there is none, the bundled sample."""
    if (CORPORA / "timemachine.txt").is_file():
        monkeypatch.setenv("SEQLAB_DATA", str(CORPORA))
        return
    request.getfixturevalue("corpusless")
