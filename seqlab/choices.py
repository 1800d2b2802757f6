"""What a command line chooses by name: model, data, optimizer, schedule, and the checkpoint to go on from."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from torch.optim import Optimizer, lr_scheduler

from seqlab.checkpoint import read_checkpoint
from seqlab.data import DATA
from seqlab.errors import UserError
from seqlab.models import MODELS
from seqlab.models.schedules import WarmupCosineLR
from seqlab.parser import pick, spell_choices, values_of
from seqlab.runs import LOGS, checkpoint_path

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

CHOICES = ("model", "data", "optimizer", "lr_scheduler")


class Plan(NamedTuple):
    """What a command line chose before its other options mean anything.

    Args:
        model: Key of ``MODELS``.
        data: Key of ``DATA``.
        optimizer: Key of ``OPTIMIZERS``.
        lr_scheduler: Key of ``SCHEDULERS``, or ``none``.
        arguments: The command line with every choice spelled ``--model.name NAME`` and the like.
        checkpoint: Where training goes on from.
        label: First words of the run's name.
    """

    model: str
    data: str
    optimizer: str
    lr_scheduler: str
    arguments: list[str]
    checkpoint: Path | None
    label: str


def _read_config(value: str) -> Mapping[str, Any]:
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
    return content or {}


def plan(argv: list[str]) -> Plan:
    """Reads the choices off a command line and its configuration files.

    Raises:
        UserError: A name or a file of these is unknown.
    """
    arguments = spell_choices(argv, CHOICES)
    root = (values_of(arguments, "trainer.default_root_dir") or ["."])[-1]
    checkpoint, label, kept = None, "", ""
    if which := (values_of(arguments, "ckpt_path") or [""])[-1]:
        checkpoint = checkpoint_path(Path(root) / LOGS, which, next(reversed(values_of(arguments, "run")), None))
        kept = read_checkpoint(checkpoint)["run"]["config"]
        arguments = ["--config", kept, *arguments]
    chosen: dict[str, str] = {}
    for value in values_of(arguments, "config") + values_of(arguments, "c"):
        content = _read_config(value)
        chosen |= {key: content[key]["name"] for key in CHOICES if "name" in (content.get(key) or {})}
        label = label if value == kept else Path(value).stem
    chosen |= {key: values[-1] for key in CHOICES if (values := values_of(arguments, f"{key}.name"))}
    model = pick("model", chosen.get("model", "gru"), MODELS)
    return Plan(
        model,
        pick("data", chosen.get("data", MODELS[model].data), DATA),
        pick("optimizer", chosen.get("optimizer", "adam"), OPTIMIZERS),
        pick("lr_scheduler", chosen.get("lr_scheduler", "none"), ["none", *SCHEDULERS]),
        arguments,
        checkpoint,
        label,
    )
