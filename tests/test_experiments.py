import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from seqlab.cli.plan import plan
from seqlab.cli.settings import read_settings

Command = Callable[..., Any]

FOLDER = Path(__file__).parents[1] / "experiments"
EXPERIMENTS = sorted(FOLDER.glob("*.yaml"))
LIMITS = (
    *("--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "1"),
    *("--bar", "none", "--watch", "none"),
)
NOT_HERE = ("ptb", "wikitext2")
"""Corpora that machines of tests do not have, so that the bundled sample stands in for them."""
FEW_PAIRS = ("--data.max_pairs", "1000")


def test_there_are_experiments() -> None:
    assert EXPERIMENTS


def header(path: Path) -> str:
    """The comment that a file opens with."""
    return re.match(r"(?:#.*\n)*", path.read_text(encoding="utf-8"))[0]


@pytest.fixture
def corpora(corpora: None, path: Path, request: pytest.FixtureRequest) -> None:
    """The corpus of an experiment, or the bundled sample."""
    if path.stem.partition("-")[0] in NOT_HERE:
        request.getfixturevalue("corpusless")


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
class TestEach:
    def test_is_named_after_its_data(self, path: Path) -> None:
        chosen = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert path.stem.partition("-")[0] == chosen["data"]["name"]

    def test_opens_with_the_command_that_runs_it(self, path: Path) -> None:
        assert f"python -m seqlab.fit --config experiments/{path.name}" in header(path)

    def test_opens_with_what_it_reached(self, path: Path) -> None:
        assert re.search(r"(?:perplexity|accuracy|MSE|error|AUC)[^\n]* \d", header(path), re.IGNORECASE)

    def test_opens_with_the_memory_that_it_holds(self, path: Path) -> None:
        here = path.stem.partition("-")[0] not in NOT_HERE
        assert not here or re.search(r"^# Holds at most [\d,]+ MB of memory\.$", header(path), re.MULTILINE)

    @pytest.mark.usefixtures("corpora", "here")
    def test_means_what_it_says(self, path: Path) -> None:
        """Parsed strictly, every value of the file stands in the configuration."""
        if "warmup_steps: 200" in path.read_text(encoding="utf-8") and "SEQLAB_DATA" not in os.environ:
            pytest.skip("the bundled sample has fewer steps than the warm-up; ../shared/data is not here")
        settings = read_settings(plan(["--config", str(path)]))
        for group, values in yaml.safe_load(path.read_text(encoding="utf-8")).items():
            for key, value in values.items() if isinstance(values, dict) else [(None, values)]:
                read = settings.config[group] if key is None else settings.config[group][key]
                assert (list(read) if isinstance(read, tuple) else read) == value, (group, key)


def first_of_each(paths: Sequence[Path]) -> list[Any]:
    """The first experiment on each corpus that is here; the others are ``slow``."""
    seen, each = {*NOT_HERE}, []
    for path in paths:
        corpus = path.stem.partition("-")[0]
        each.append(pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if corpus in seen else []))
        seen.add(corpus)
    return each


@pytest.mark.usefixtures("corpora")
@pytest.mark.parametrize("path", first_of_each(EXPERIMENTS))
def test_runs_for_two_steps(path: Path, verb: Command, here: Path) -> None:
    warms_up = "warmup_steps" in path.read_text(encoding="utf-8")
    shorter = ["--lr_scheduler.warmup_steps", "1"] if warms_up else []
    fewer = FEW_PAIRS if path.stem.startswith("fra_eng") else ()
    finished = verb("fit", "--config", str(path), *LIMITS, *fewer, *shorter)
    assert finished.code == 0, finished.err
    assert re.search(r", [12] steps", finished.out)
    (run,) = (here / "lightning_logs").iterdir()
    assert run.name.startswith(path.stem)
    assert (run / "checkpoints" / "last.ckpt").is_file()
