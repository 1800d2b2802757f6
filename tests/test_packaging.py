"""The package as others install it: a wheel that holds all that it needs."""

import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_it_holds_every_file_of_the_package(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    kinds = (".py", ".typed", ".cpp", ".h", ".tsv", ".conll", ".txt")
    files = [path for path in (ROOT / "seqlab").rglob("*") if path.suffix in kinds or path.name == "py.typed"]
    assert len(files) > 300
    assert not [path for path in files if str(path.relative_to(ROOT)) not in held]
    assert not [name for name in held if name.startswith("tests/")]


def test_it_runs_the_main_job_where_the_repository_is_not(
    wheel: Path, tmp_path: Path, shell: Callable[..., Any]
) -> None:
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    few = ("--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "1", "--trainer.max_epochs", "1")
    finished = shell("-P", "-m", "seqlab.fit", "--model", "gru", *few, cwd=tmp_path, PYTHONPATH=str(installed))
    assert finished.code == 0, finished.err
    assert "Done in" in finished.out
    where = shell("-P", "-c", "import seqlab; print(seqlab.__file__)", cwd=tmp_path, PYTHONPATH=str(installed))
    assert where.out.strip() == f"{installed}{os.sep}seqlab{os.sep}__init__.py"


def test_every_extra_says_what_it_is_for() -> None:
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    for extra in PROJECT["optional-dependencies"]:
        place = next(number for number, line in enumerate(lines) if line.startswith(f"{extra} = ["))
        assert lines[place - 1].startswith("# ")
