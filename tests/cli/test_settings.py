from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import STORY

from seqlab.cli.plan import plan
from seqlab.cli.settings import Settings, planned, read_settings
from seqlab.errors import UserError

TEXT = ("--data", "text", "--data.path", str(STORY))


def settings(*words: str) -> Settings:
    return read_settings(plan([*TEXT, *words]))


@pytest.fixture(scope="module")
def made() -> Settings:
    return settings(
        *("--model", "lstm", "--model.hidden_size", "8", "--seed", "3", "--run", "r"),
        *("--optimizer.lr=0.5", "--lr_scheduler", "steplr", "--lr_scheduler.step_size", "2"),
    )


def test_options_of_a_group_and_those_that_are_no_defaults(made: Settings) -> None:
    assert made.of("model")["hidden_size"] == 8
    assert "name" not in made.of("model")
    assert made.of_changed("model") == {"hidden_size": 8}
    assert made.of_changed("data") == {"path": str(STORY)}
    assert made.of("lr_scheduler")["step_size"] == 2


def test_words_for_what_changes_the_result(made: Settings) -> None:
    assert made.changes() == ["lr_scheduler=steplr", "hidden_size=8", "lr=0.5", "step_size=2"]


def test_as_yaml_it_is_the_same_run_whatever_its_name(made: Settings, tmp_path: Path) -> None:
    kept = made.as_plain()
    assert kept == yaml.safe_load(made.as_yaml())
    assert (kept["run"], kept["ckpt_path"], kept["seed"]) == (None, None, 3)
    assert made.config.run == "r"
    assert kept["model"]["name"] == "lstm"
    (tmp_path / "again.yaml").write_text(made.as_yaml(), encoding="utf-8")
    again = read_settings(plan(["--config", str(tmp_path / "again.yaml")]))
    assert again.as_plain() == kept


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--seed", "-1"), "seed -1 must be at least 0 and below 2**32"),
        (("--seed", str(2**32)), f"seed {2**32} must be at least 0 and below 2**32"),
        (("--model.hiden_size", "3"), "unknown option --model.hiden_size: did you mean '--model.hidden_size'"),
        (("--optimizer.momentum", "0.9"), "unknown option --optimizer.momentum"),  # of adam there is none
        (("--patience", "often"), "--patience does not take 'often': it takes a whole number or null"),
    ],
)
def test_options_that_cannot_be(words: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        settings(*words)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    ("words", "optimizer", "schedule"),
    [
        ((), {"name": "adam", "lr": 0.002}, {"name": "none"}),
        (
            ("--model", "transformer"),
            {"name": "adamw", "lr": 0.001, "weight_decay": 0.1},
            {"name": "warmupcosinelr", "warmup_fraction": 0.05, "final_factor": 0.1, "interval": "step"},
        ),
        (
            ("--model", "transformer", "--optimizer", "adam", "--lr_scheduler", "none"),
            {"name": "adam", "lr": 0.002, "weight_decay": 0.0},
            {"name": "none"},
        ),
        (
            ("--model", "transformer", "--optimizer.lr", "0.5", "--lr_scheduler.final_factor", "0"),
            {"name": "adamw", "lr": 0.5, "weight_decay": 0.1},
            {"name": "warmupcosinelr", "warmup_fraction": 0.05, "final_factor": 0.0},
        ),
    ],
)
def test_a_network_asks_for_its_optimizer_and_schedule(
    words: tuple[str, ...], optimizer: dict[str, Any], schedule: dict[str, Any]
) -> None:
    config = settings(*words).config
    assert {key: config["optimizer"][key] for key in optimizer} == optimizer
    assert {key: config["lr_scheduler"][key] for key in schedule} == schedule


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--sed 3", "unknown option --sed: did you mean '--seed'"),
        ("--model lstm --model.hiden_size 3", "unknown option --model.hiden_size: did you mean '--model.hidden_size'"),
        ("--data.pathh a.txt", "unknown option --data.pathh: did you mean '--data.path'"),
        ("--trainer.max_epoch 3", "unknown option --trainer.max_epoch: did you mean '--trainer.max_epochs'"),
        ("--optimizer.lr 1 --trainer.callbacks+=A --trainer.logger.name a --model.cell gru", "there is no checkpoint"),
    ],
)
def test_an_option_that_no_run_has_is_refused_before_the_checkpoint(words: str, said: str) -> None:
    with pytest.raises(UserError, match=f"^{said}"):
        planned(["--ckpt_path", "nowhere.ckpt", *words.split()])
