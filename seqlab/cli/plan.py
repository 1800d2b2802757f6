"""What a command line chooses by name: model, data, optimizer, schedule, and the checkpoint to go on from."""

import inspect
import re
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from torch.optim import Optimizer, lr_scheduler

from seqlab.cli.parser import pick, spell_choices, values_of
from seqlab.cli.recipes import names_of
from seqlab.data import DATA
from seqlab.errors import UserError
from seqlab.models import MODELS
from seqlab.models.schedules import WarmupCosineLR
from seqlab.runs.checkpoint import read_checkpoint
from seqlab.runs.folders import LOGS, checkpoint_path
from seqlab.runs.resuming import Resumed

UNNAMEABLE = {"LambdaLR", "MultiplicativeLR", "SequentialLR", "ChainedScheduler", "LRScheduler", "_LRScheduler"}
"""Schedules that take functions or other schedules, which no command line can spell."""

OPTIMIZERS: dict[str, type[Optimizer]] = {
    name.lower(): kind
    for name, kind in vars(torch.optim).items()
    if inspect.isclass(kind) and issubclass(kind, Optimizer) and kind is not Optimizer
}
SCHEDULERS: dict[str, Callable[..., Any]] = {
    name.lower(): kind
    for name, kind in {**vars(lr_scheduler), "WarmupCosineLR": WarmupCosineLR}.items()
    if inspect.isclass(kind) and issubclass(kind, lr_scheduler.LRScheduler) and name not in UNNAMEABLE
}
STEP_WISE = {"warmupcosinelr", "onecyclelr", "cycliclr"}
"""Schedules that count optimizer steps rather than epochs."""

NAMES: dict[str, list[str]] = {
    "model": [*MODELS],
    "data": [*DATA],
    "optimizer": [*OPTIMIZERS],
    "lr_scheduler": ["none", *SCHEDULERS],
}
CHOICES = tuple(NAMES)
OF_ITS_NAME = ("optimizer", "lr_scheduler")
"""Choices whose options mean nothing under another name."""


class Plan(NamedTuple):
    """What a command line chose before its other options mean anything.

    Args:
        model: Key of ``MODELS``.
        data: Key of ``DATA``.
        optimizer: Key of ``OPTIMIZERS``.
        lr_scheduler: Key of ``SCHEDULERS``, or ``none``.
        arguments: The command line, configuration files first and as text, each choice as ``--model.name NAME``.
        checkpoint: Where training goes on from.
        resumed: What it says of its run.
        label: First words of the run's name.
    """

    model: str
    data: str
    optimizer: str
    lr_scheduler: str
    arguments: list[str]
    checkpoint: Path | None
    resumed: Resumed | None
    label: str


def _read_config(value: str) -> dict[str, Any]:
    """The content of a configuration, a file or its text, with ``model: gru`` spelled ``model: {name: gru}``."""
    path = Path(value)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8") if "\n" not in value else value)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"cannot read the configuration {value}: {reason}; give --config an existing file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{value} is not YAML: {' '.join(str(error).split())}") from None
    if content is not None and not isinstance(content, dict):
        raise UserError(f"{value} must hold names and values, such as 'trainer: {{max_epochs: 3}}'")
    content = content or {}
    content |= {key: {"name": content[key]} for key in CHOICES if isinstance(content.get(key), str)}
    for key in CHOICES:
        if not isinstance(content.get(key, {}), dict):
            raise UserError(f"{key} {content[key]!r} in {value} must be a name or options such as '{{name: NAME}}'")
    if not isinstance(content.get("trainer", {}), dict):
        raise UserError(f"trainer {content['trainer']!r} in {value} must be options such as '{{max_epochs: 3}}'")
    return content


def _split_off_configs(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The values of ``--config``, and all other words."""
    values, rest, words = [], [], iter(arguments)
    for word in words:
        key, equals, value = word.partition("=")
        if key in ("--config", "-c"):
            values.append(value if equals else next(words, ""))
        else:
            rest.append(word)
    return values, rest


def _check_counted(model: str, words: list[str], checkpoint: Path | None) -> None:
    """Refuses what means something only to a model that is trained by gradients."""
    if checkpoint is not None:
        raise UserError(
            f"{checkpoint} holds {model}, counted all at once: nothing is left to train; see seqlab.evaluate"
        )
    if useless := next((word for word in words if re.match(rf"--({'|'.join(OF_ITS_NAME)})\.", word)), None):
        option = useless.split("=")[0].removesuffix(".name")
        raise UserError(f"{option} means nothing to {model}, which counts; leave it out")


def plan(argv: list[str]) -> Plan:
    """Reads the choices off a command line and its configuration files.

    Raises:
        UserError: A name or a file of these is unknown.
    """
    arguments = spell_choices(argv, CHOICES)
    files, rest = _split_off_configs(arguments)
    contents = [_read_config(value) for value in files]

    def given(name: str) -> str | None:
        """An option, of the command line or else of its configuration files."""
        group, _, key = name.rpartition(".")
        parts = [content.get(group, {}) if group else content for content in contents]
        values = [*(str(part[key]) for part in parts if part.get(key)), *values_of(rest, name)]
        return values[-1] if values else None

    root, checkpoint, resumed = given("trainer.default_root_dir") or ".", None, None
    if which := given("ckpt_path"):
        checkpoint = checkpoint_path(Path(root) / LOGS, which, given("run"))
        content = read_checkpoint(checkpoint)
        if "run" not in content:
            raise UserError(f"{checkpoint} does not say which run it belongs to; go on with what made it")
        run = content["run"]
        length = next((schedule.get("total_steps") for schedule in content.get("lr_schedulers", [])), None)
        resumed = Resumed(run["name"], run["config"], int(content["global_step"]), run.get("arithmetic", {}), length)
        contents.insert(0, _read_config(resumed.config))
    label = Path(files[-1]).stem if files else ""
    chosen = {"model": "gru", "optimizer": "adam", "lr_scheduler": "none"}
    for content in contents:
        chosen |= {key: str(content[key]["name"]) for key in CHOICES if "name" in content.get(key, {})}
    chosen |= {key: values[-1] for key in CHOICES if (values := values_of(rest, f"{key}.name"))}
    for key in CHOICES:
        name = chosen[key] if key in chosen else MODELS[chosen["model"]].data
        chosen[key] = pick(key, name, NAMES[key])
    wanted = MODELS[chosen["model"]].kind.reads
    if not issubclass(DATA[chosen["data"]], wanted):
        able = ", ".join(names_of(wanted))
        raise UserError(f"--model {chosen['model']} does not read --data {chosen['data']}; choose one of {able}")
    for content, key in product(contents, CHOICES):
        options = content.get(key, {})
        if pick(key, str(options.pop("name", chosen[key])), NAMES[key]) != chosen[key] and key in OF_ITS_NAME:
            options.clear()
    if not MODELS[chosen["model"]].kind.by_gradients:
        _check_counted(chosen["model"], rest, checkpoint)
    texts = [word for content in contents for word in ("--config", yaml.safe_dump(content))]
    names = [word for key in CHOICES if values_of(rest, f"{key}.name") for word in (f"--{key}.name", chosen[key])]
    return Plan(**chosen, arguments=[*texts, *rest, *names], checkpoint=checkpoint, resumed=resumed, label=label)
