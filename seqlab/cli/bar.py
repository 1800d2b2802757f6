"""The bar of a task: the result of its counted baseline on the data of a run."""

import hashlib
import json
import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_cache_dir

from seqlab.cli.settings import Settings
from seqlab.data.data_module import DataModule
from seqlab.errors import UserError
from seqlab.files import read_regular
from seqlab.metrics import Measure
from seqlab.models import TASKS, Task
from seqlab.runs.folders import write_json

MOMENT = 10.0
"""Seconds that a bar may always use."""
SHARE = 0.1
"""Share of the training time that a longer bar may use."""


@dataclass(frozen=True)
class Bar:
    """The result of a counted baseline on the validation part, or the command that measures it.

    Args:
        name: Name of the model.
        values: Values by measure; empty if not measured.
        seconds: Time of the measurement.
        text: Text to print.
    """

    name: str
    values: dict[str, float]
    seconds: float
    text: str

    def __str__(self) -> str:
        return self.text

    def as_plain(self) -> dict[str, Any]:
        """The bar as plain values for ``result.json``."""
        return {"model": self.name, "metrics": {f"val_{key}": value for key, value in self.values.items()}}


def bar_of(settings: Settings, data: DataModule, reached: dict[str, float], trained: float) -> Bar | None:
    """The bar of a run's task; None if the task has no bar, the run is the bar, or there is no validation part.

    Args:
        settings: Settings of the run.
        data: The training corpus.
        reached: Measures of the run's best validation.
        trained: Training time in seconds.
    """
    task = TASKS[settings.plan.task]
    if task.bar is None or task.bar == settings.plan.model or not data.val_dataloader():
        return None
    options = task.networks[task.bar].options
    estimate = options.seconds_an_item * data.num_items()
    kept = _cache(task, data)
    if not kept.is_file() and estimate > max(MOMENT, SHARE * trained):
        return Bar(
            task.bar, {}, 0.0, f"The bar to beat, {task.bar}, in about {estimate:.0f} s:\n  {_command(settings)}"
        )
    started = time.monotonic()
    try:
        values = _read(kept) or _measure(task, data)
    except UserError as error:
        return Bar(task.bar, {}, 0.0, f"The bar to beat, {task.bar}, could not be measured: {error}")
    _keep(kept, values)
    words = [_compared(name, one, values, reached) for name, one in task.model.measures.items() if name in values]
    return Bar(task.bar, values, time.monotonic() - started, f"The bar to beat, {task.bar}: {', '.join(words)}.")


def _compared(name: str, measure: Measure, values: dict[str, float], reached: dict[str, float]) -> str:
    said = f"validation {measure.title} {measure.shown(values[name])}"
    if name not in reached:
        return said
    ahead = values[name] - reached[name] if measure.better == "lower" else reached[name] - values[name]
    verdict = "this run is better" if ahead > 0 else "THIS RUN IS NOT BETTER"
    return f"{said} ({verdict}: {measure.shown(reached[name])})"


def _measure(task: Task, data: DataModule) -> dict[str, float]:
    assert task.bar is not None
    model = task.model(task.networks[task.bar].made({}), data.codecs, name=task.bar)
    with data.undivided():
        model.count(data)
        report = model.eval().evaluate(data, "val")
    return {**report.measures}


def _command(settings: Settings) -> str:
    plan = settings.plan
    given = [f"--data.{key}={value}" for key, value in settings.of_changed("data").items()]
    words = ["python", "-m", "seqlab.fit", "--data", plan.data, *given, "--model", str(plan.row.bar)]
    return shlex.join(words)


def _cache(task: Task, data: DataModule) -> Path:
    identity = f"{task.model.task} {task.bar} {data.fingerprint()}"
    return Path(user_cache_dir("seqlab")) / "bars" / f"{hashlib.sha1(identity.encode()).hexdigest()}.json"


def _read(path: Path) -> dict[str, float] | None:
    try:
        content = json.loads(read_regular(path))
        return {str(name): float(value) for name, value in content.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return None


def _keep(path: Path, values: dict[str, float]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, values)
    except OSError:
        return
