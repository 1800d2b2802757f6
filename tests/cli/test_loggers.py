import json
from pathlib import Path
from typing import Any

import pytest
from jsonargparse import Namespace

from seqlab.cli.loggers import RUN_FOLDER, fill, in_run_folder, words_in_run_folder

CSV = {"class_path": "CSVLogger", "init_args": {"save_dir": RUN_FOLDER}}


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ("CSVLogger", CSV),
        ({"class_path": "CSVLogger"}, CSV),
        (
            {"class_path": "lightning.pytorch.loggers.CSVLogger"},
            {**CSV, "class_path": "lightning.pytorch.loggers.CSVLogger"},
        ),
        (
            {"class_path": "CSVLogger", "init_args": {"save_dir": "own"}},
            {"class_path": "CSVLogger", "init_args": {"save_dir": "own"}},
        ),
        (["CSVLogger", "WandbLogger"], [CSV, "WandbLogger"]),  # which asks for no folder
        *((same, same) for same in ("no.such.Logger", "Logger of mine", True, None, {"a": 1})),
    ],
)
def test_a_folder_for_those_that_ask_for_one(given: Any, known: Any) -> None:
    assert in_run_folder(given) == known


def test_on_the_command_line() -> None:
    words = ["--run", "a", "--trainer.logger", "CSVLogger", "--trainer.logger+=WandbLogger", "--trainer.logger=false"]
    assert words_in_run_folder(words) == [
        *("--run", "a", "--trainer.logger", json.dumps(CSV)),
        *("--trainer.logger+", "WandbLogger", "--trainer.logger", "false"),
    ]


def test_the_folder_of_the_run_once_it_has_its_name() -> None:
    inside = Namespace(save_dir=RUN_FOLDER, name="lightning_logs", version=None)
    own = Namespace(save_dir="own", name="n")
    fill([Namespace(class_path="CSVLogger", init_args=inside), Namespace(init_args=own), True], Path("logs/run"))
    assert inside == Namespace(save_dir="logs", name="run", version="")
    assert own == Namespace(save_dir="own", name="n")
    fill(None, Path("logs/run"))
