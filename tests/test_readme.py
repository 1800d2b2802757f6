import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from seqlab.fit import main

Command = Callable[..., Any]

README = Path(__file__).parents[1] / "README.md"
TEXT = README.read_text(encoding="utf-8")
LIMITS = ("--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "1", "--trainer.accelerator", "cpu")
PAIRS = (README.parent / "seqlab/data/samples/english_french.tsv").read_text(encoding="utf-8")
ONE_PROCESS = ("--trainer.devices", "1", "--trainer.strategy", "auto")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def commands() -> Iterator[tuple[str, list[str]]]:
    """Verb and arguments of each seqlab command in the bash blocks."""
    for block in blocks("bash"):
        for line in block.replace("\\\n", " ").splitlines():
            for command in line.split("&&"):
                words = shlex.split(command, comments=True)
                if words[:2] == ["python", "-m"] and words[2].startswith("seqlab."):
                    yield words[2].removeprefix("seqlab."), words[3:]
                elif words[:1] == ["seqlab"]:
                    yield words[1], words[2:]


COMMANDS = list(commands())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on the story, to stand in for the README's runs."""
    root = tmp_path_factory.mktemp("readme")
    story = str(Path(__file__).parent / "fixtures" / "story.txt")
    data = ["--data", "text", "--data.path", story, "--data.batch_size", "4", "--data.num_steps", "8"]
    options = ["--model.hidden_size", "16", "--trainer.max_epochs", "1", "--run", "stand-in"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        assert main([*data, *options, *LIMITS]) == 0
    return root / "lightning_logs" / "stand-in"


@pytest.fixture(scope="module")
def translating(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on sentence pairs, to stand in for those of the README."""
    root = tmp_path_factory.mktemp("readme-pairs")
    (root / "pairs.tsv").write_text(PAIRS, encoding="utf-8")
    data = ["--data", "parallel", "--data.path", "pairs.tsv", "--data.batch_size", "4", "--data.min_freq", "1"]
    shares = ["--data.val_fraction", "0.2", "--data.test_fraction", "0.2"]
    model = ["--model", "seq2seq", "--model.hidden_size", "16", "--model.embedding_size", "8"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        assert main([*model, *data, *shares, "--trainer.max_epochs", "1", "--run", "stand-in", *LIMITS]) == 0
    return root / "lightning_logs" / "stand-in"


@pytest.fixture
def place(trained: Path, translating: Path, here: Path, corpora: None) -> Path:
    """The current folder, with all that the README's commands speak of."""
    (here / "pairs.tsv").write_text(PAIRS, encoding="utf-8")
    (here / "english.txt").write_text("we see the sea .\ni am here .\n", encoding="utf-8")
    words = " ".join(word for _, arguments in COMMANDS for word in arguments)
    runs = set(re.findall(r"(?:\w+/)?lightning_logs/[^/\s]+", words))
    runs |= {f"lightning_logs/{a[a.index('--run') + 1]}" for _, a in COMMANDS if "--run" in a}
    for run in sorted(runs):
        shutil.copytree(translating if "fra_eng" in run else trained, here / run)
    shutil.copy(README, here)
    shutil.copytree(README.parent / "experiments", here / "experiments")
    return here


def test_there_are_commands_of_every_verb() -> None:
    assert {verb for verb, _ in COMMANDS} == {
        "fit",
        "evaluate",
        "generate",
        "translate",
        "corpus",
        "inspect",
        "memory",
        "compare",
    }
    assert ["--ckpt_path", "last"] in [arguments[:2] for _, arguments in COMMANDS]


@pytest.mark.parametrize(("name", "arguments"), COMMANDS, ids=[" ".join([n, *a])[:70] for n, a in COMMANDS])
def test_each_command_runs(name: str, arguments: list[str], place: Path, verb: Command) -> None:
    own = list(arguments)
    if name in ("fit", "compare"):
        own += [*LIMITS, "--trainer.max_epochs", "2" if "--ckpt_path" in own else "1"]
        files = [Path(word).read_text(encoding="utf-8") for word in own if word.endswith(".yaml")]
        if any("warmup_steps" in text for text in [*own, *files]):
            own += ["--lr_scheduler.warmup_steps", "1"]
    if name == "fit":
        own += ONE_PROCESS
    if name == "compare":
        own += ["--seeds", "1", "--watch", "none", "--output", "compared"]
        own += ["--model", "rnn"] if "--model" in own else []
    if name == "memory":
        own += ["--max_steps", "2", "--lengths", "5", "--device", "cpu"]
    finished = verb(name, *own)
    assert finished.code == 0, finished.err
    assert finished.out or "--output" in own
    assert "Traceback" not in finished.err


def test_the_python_runs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks("python")
    fast = code.replace('trainer={"', 'trainer={"limit_train_batches": 2, "limit_val_batches": 1, "')
    assert fast != code
    exec(compile(fast, str(README), "exec"), {"__name__": "readme"})
    assert float(capsys.readouterr().out.splitlines()[-1]) > 1


def test_the_test_command_is_one() -> None:
    assert "pytest\n" in blocks("bash")


def test_files_that_it_names_are_there() -> None:
    named = set(re.findall(r"(?<![\w./-])(?:experiments|seqlab|tests|\.ci)/[\w./-]*\w", TEXT))
    assert named
    assert not [path for path in named if not (README.parent / path).exists()]


def test_dashboards_have_the_names_that_it_gives() -> None:
    source = "".join(path.read_text() for path in (README.parent / "seqlab").rglob("*.py"))
    names = re.findall(r"`((?:train|val)/\w+)`", TEXT)
    assert len(names) >= 8
    for name in names:
        stage, _, what = name.partition("/")
        assert f'"{name}"' in source or f'{{stage}}/{what}"' in source, (stage, what)
