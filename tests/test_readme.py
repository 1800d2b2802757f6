import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_images import written

from seqlab.cli.plan import plan
from seqlab.cli.settings import read_settings
from seqlab.data.drawn_digits import drawn_digit
from seqlab.fit import main
from seqlab.models import TASKS

Command = Callable[..., Any]

README = Path(__file__).parents[1] / "README.md"
GUIDE = README.parent / "experiments" / "guide.md"
SPEED = README.parent / "experiments" / "speed" / "README.md"
TEXT, GUIDANCE = (path.read_text(encoding="utf-8") for path in (README, GUIDE))
LIMITS = ("--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "1", "--trainer.accelerator", "cpu")
REVIEWS = README.parent / "seqlab/data/samples/reviews.tsv"
TAGGED = README.parent / "seqlab/data/samples/village.conll"
PAIRS = (README.parent / "seqlab/data/samples/english_french.tsv").read_text(encoding="utf-8")
WIKI = "the king and the queen saw a man and a woman\n" * 2000
STRINGS = ("--data", "digit_strings", "--data.source", "digits", "--data.strings", "100")
ONE_PROCESS = ("--trainer.devices", "1", "--trainer.strategy", "auto")
QUIET = ("--bar", "none", "--watch", "none")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands() -> Iterator[tuple[str, list[str]]]:
    """Verb and arguments of each seqlab command in the bash blocks."""
    for block in (*blocks(TEXT, "bash"), *blocks(GUIDANCE, "bash")):
        for line in block.replace("\\\n", " ").splitlines():
            for command in line.split("&&"):
                words = shlex.split(command, comments=True)
                if words[:2] == ["python", "-m"] and words[2].startswith("seqlab."):
                    yield words[2].removeprefix("seqlab."), words[3:]


COMMANDS = list({" ".join([verb, *words]): (verb, words) for verb, words in commands()}.values())
INLINE = [shlex.split(command)[2:] for command in re.findall(r"`(seqlab fit [^`]*)`", TEXT)]


def first_of_each() -> Iterator[bool]:
    """Of each command, whether it is the first of its verb."""
    seen = set()
    for name, _ in COMMANDS:
        yield name not in seen
        seen.add(name)


def stand_in(root: Path, *options: str) -> Path:
    """The folder of a run, to stand in for those of the README."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        assert main([*options, *LIMITS, *QUIET, "--trainer.max_epochs", "1", "--run", "stand-in"]) == 0
    return root / "lightning_logs" / "stand-in"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The run of a task, by a word in the names of the README's runs; trained once it is asked for."""
    story = ("--data", "text", "--data.path", str(README.parent / "tests/fixtures/story.txt"))
    pairs = ("--data", "parallel", "--data.path", "pairs.tsv", "--data.batch_size", "4", "--data.min_freq", "1")
    shares = ("--data.val_fraction", "0.2", "--data.test_fraction", "0.2")
    words = ("--data", "text", "--data.path", "wiki.txt", "--data.num_steps", "32", "--data.batch_size", "4")
    texts = ("--data", "labelled", "--data.path", str(REVIEWS), "--model", "bag", "--model.buckets", "50")
    small = ("--model.hidden_size", "16")
    options = {
        "fra_eng-transformer": (*pairs, *shares, *small, "--model", "transformer"),
        "fra_eng": (*pairs, *shares, *small, "--model.embedding_size", "8"),
        "trec": texts,
        "ud_english": ("--data", "tagged", "--data.path", str(TAGGED), "--model", "suffix"),
        "sine": ("--data", "sine", "--model", "ridge"),
        "wordmodel": (*words, "--data.tokens", "word", "--model", "lstm", *small),
        "words": (*words, "--model", "ppmi"),
        "digits": ("--data", "digits", "--model", "gru", *small),
        "strings": (*STRINGS, "--model", "gru", *small),
        "": (*story, *small, "--data.batch_size", "4", "--data.num_steps", "8"),
    }

    @cache
    def of(run: str) -> Path:
        root = tmp_path_factory.mktemp("readme")
        (root / "pairs.tsv").write_text(PAIRS, encoding="utf-8")
        (root / "wiki.txt").write_text(WIKI, encoding="utf-8")
        return stand_in(root, *options[next(word for word in options if word in run)])

    return of


@pytest.fixture
def place(trained: Callable[[str], Path], here: Path, corpora: None, request: pytest.FixtureRequest) -> Path:
    """The current folder, with all that a command of the README speaks of."""
    (here / "pairs.tsv").write_text(PAIRS, encoding="utf-8")
    (here / "english.txt").write_text("we see the sea .\ni am here .\n", encoding="utf-8")
    shutil.copy(REVIEWS, here / "reviews.tsv")
    shutil.copy(TAGGED, here / "train.conll")
    (here / "new.csv").write_text("".join(f"{step / 10}\n" for step in range(40)), encoding="utf-8")
    (here / "wiki.txt").write_text(WIKI, encoding="utf-8")
    (here / "questions.txt").write_text(": family\nking queen man woman\n", encoding="utf-8")
    (here / "judged.tsv").write_text("king\tqueen\t8\nman\twoman\t7\n", encoding="utf-8")
    houses = "".join(f"{size},{3 * size + size % 5}\n" for size in range(60))
    (here / "houses.csv").write_text(f"size,price\n{houses}", encoding="utf-8")
    written(here / "pictures", 12)
    Image.fromarray(np.hstack([drawn_digit(number, 8) for number in (3, 5, 9)])).save(here / "picture.png")
    arguments = request.node.callspec.params["arguments"] if hasattr(request.node, "callspec") else []
    runs = set(re.findall(r"(?:\w+/)?lightning_logs/[^/\s]+", " ".join(arguments)))
    if "--ckpt_path" in arguments:
        name = arguments[arguments.index("--run") + 1] if "--run" in arguments else "gru-time_machine"
        runs.add(f"lightning_logs/{name}")
    for run in sorted(runs):
        shutil.copytree(trained(run), here / run)
    shutil.copy(README, here)
    shutil.copytree(README.parent / "experiments", here / "experiments")
    return here


def test_there_are_commands_of_every_verb() -> None:
    assert {verb for verb, _ in COMMANDS} == {
        "fit",
        "evaluate",
        "generate",
        "translate",
        "predict",
        "corpus",
        "export",
        "inspect",
        "memory",
        "compare",
    }
    assert ["--ckpt_path", "last"] in [arguments[:2] for _, arguments in COMMANDS]


@pytest.mark.usefixtures("lent_server")
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        pytest.param(name, arguments, id=" ".join([name, *arguments])[:90], marks=[] if first else [pytest.mark.slow])
        for (name, arguments), first in zip(COMMANDS, first_of_each(), strict=True)
    ],
)
def test_each_command_runs(name: str, arguments: list[str], place: Path, verb: Command) -> None:
    own = list(arguments)
    if name in ("fit", "compare"):
        own += [*LIMITS, "--trainer.max_epochs", "2" if "--ckpt_path" in own else "1"]
        own += QUIET
        files = [Path(word).read_text(encoding="utf-8") for word in own if word.endswith(".yaml")]
        if any("warmup_steps" in text for text in [*own, *files]):
            own += ["--lr_scheduler.warmup_steps", "1"]
    if name == "fit":
        own += [*ONE_PROCESS, *(["--overwrite"] if "--run" in own and "--ckpt_path" not in own else [])]
    if name == "compare":
        own += ["--seeds", "1", "--output", "compared"]
        if "--folds" in own:
            own += ["--folds", "2", "--model", "naive_bayes"]
        elif "--model" in own:
            own += ["--model", "rnn"]
    if name == "memory":
        own += ["--max_steps", "2", "--lengths", "5", "--device", "cpu"]
    finished = verb(name, *own)
    assert finished.code == 0, finished.err
    assert finished.out or "--output" in own
    assert "Traceback" not in finished.err


TRAININGS = [arguments for name, arguments in COMMANDS if name == "fit" and "--ckpt_path" not in arguments]
TRAININGS += [arguments for arguments in INLINE if "--ckpt_path" not in arguments]


@pytest.mark.parametrize("arguments", [pytest.param(words, id=" ".join(words)[:90]) for words in TRAININGS])
def test_each_training_has_the_options_that_it_names(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(README.parent)
    assert read_settings(plan(arguments)).config.seed >= 1


def run_python(source: str, few: dict[str, str]) -> None:
    """Runs a block of Python, with less to do."""
    for whole, part in few.items():
        assert whole in source
        source = source.replace(whole, part)
    exec(compile(source, str(README), "exec"), {"__name__": "readme"})


FEW = {'trainer={"': 'trainer={"limit_train_batches": 2, "limit_val_batches": 1, "'}


def test_the_python_runs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_python(blocks(TEXT, "python")[0], FEW)
    assert float(capsys.readouterr().out.splitlines()[-1]) > 1
    few = {"max_epochs=2": "max_epochs=1, limit_train_batches=2, limit_val_batches=1, logger=False"}
    run_python(blocks(GUIDANCE, "python")[0], few)
    assert "val/perplexity" in capsys.readouterr().out


def test_a_cell_a_corpus_and_a_task_are_added_as_it_says(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, cell, corpus, task = blocks(TEXT, "python")
    run_python(cell + "\nassert outputs.shape == (35, 4, 16)\noutputs.sum().backward()\n", {})
    shutil.copy(README.parent / "tests/fixtures/story.txt", place / "psalms.txt")
    run_python(corpus, {})
    assert "tokens to train on" in capsys.readouterr().out
    monkeypatch.setitem(TASKS, "parity", TASKS["language"])
    run_python(task, FEW)
    assert capsys.readouterr().out.startswith("parity (")


def test_it_is_short() -> None:
    assert len(TEXT.splitlines()) <= 200


def test_the_test_command_is_one() -> None:
    assert "pytest\n" in blocks(TEXT, "bash")


@pytest.mark.parametrize("path", [README, GUIDE, GUIDE.parent / "README.md", SPEED], ids=str)
def test_files_and_sections_that_it_names_are_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    named = set(re.findall(r"(?<![\w./-])(?:experiments|seqlab|tests|\.ci)/[\w./-]*\w", text))
    assert not [name for name in named if not (README.parent / name).exists()]
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _, section = link.partition("#")
        other = (path.parent / file) if file else path
        assert link.startswith("https://") or other.exists(), link
        if section and not link.startswith("https://"):
            titles = re.findall(r"^#+ (.*)$", other.read_text(encoding="utf-8"), re.MULTILINE)
            assert section in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}, link


def test_dashboards_have_the_names_that_it_gives() -> None:
    source = "".join(path.read_text() for path in (README.parent / "seqlab").rglob("*.py"))
    names = re.findall(r"`((?:train|val)/\w+)`", GUIDANCE)
    assert len(names) >= 8
    measured = {measure for task in TASKS.values() for measure in task.model.measures} | {"loss"}
    for name in names:
        stage, _, what = name.partition("/")
        rate = what.endswith("_per_second") and '{rate}_per_second"' in source
        assert what in measured or rate or f'"{name}"' in source, (stage, what)
