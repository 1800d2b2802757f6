"""The choices of a command line: model, data, optimizer, schedule, and the checkpoint to resume."""

import re
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from seqlab.bounds import check_named
from seqlab.cli.claims import believed, name_of
from seqlab.cli.configuration import parse_configuration, read_configuration
from seqlab.cli.loggers import in_run_folder, words_in_run_folder
from seqlab.cli.parser import pick, spell_choices, values_of
from seqlab.errors import UserError
from seqlab.models import TASKS, Network, Task
from seqlab.models.optimization import OPTIMIZERS, SCHEDULERS
from seqlab.runs.checkpoint import read_checkpoint
from seqlab.runs.folders import LOGS, checkpoint_path
from seqlab.runs.resuming import Resumed, resumed_from

CHOICES = ("model", "data", "optimizer", "lr_scheduler")
OF_ITS_NAME = ("optimizer", "lr_scheduler")
"""Choices whose options belong to one name only."""


class Plan(NamedTuple):
    """The choices of a command line, which determine its other options.

    Args:
        task: Key of ``TASKS``.
        model: Key of the task's networks.
        data: Name of the data, one of the task's.
        optimizer: Key of ``OPTIMIZERS``.
        lr_scheduler: Key of ``SCHEDULERS``, or ``none``.
        arguments: The command line, configuration files first and as text, each choice as ``--model.name NAME``.
        resumed: The run in the checkpoint to resume.
        label: First words of the run's name.
    """

    task: str
    model: str
    data: str
    optimizer: str
    lr_scheduler: str
    arguments: list[str]
    resumed: Resumed | None
    label: str

    @property
    def checkpoint(self) -> Path | None:
        """The checkpoint to resume."""
        return None if self.resumed is None else self.resumed.path

    @property
    def row(self) -> Task:
        """The row of the task in ``TASKS``."""
        return TASKS[self.task]

    @property
    def network(self) -> Network:
        """The network of the model's name."""
        return self.row.networks[self.model]


def known_names(kind: str) -> list[str]:
    """The known names of a choice."""
    if kind == "model":
        return [*dict.fromkeys(name for task in TASKS.values() for name in task.networks)]
    if kind == "data":
        return [*dict.fromkeys(name for task in TASKS.values() for name in task.data)]
    return [*OPTIMIZERS] if kind == "optimizer" else ["none", *SCHEDULERS]


def choose(model: str | None, data: str | None) -> tuple[str, str, str]:
    """The task, model and data for a model name, a data name, both or neither.

    Raises:
        UserError: A name is unknown, or no task has both.
    """
    model = None if model is None else pick("model", model, known_names("model"))
    data = None if data is None else pick("data", data, known_names("data"))
    for name, task in TASKS.items():
        if model in (None, *task.networks) and data in (None, *task.data):
            return name, model or next(iter(task.networks)), data or task.data[0]
    reading = [task for task in TASKS.values() if data in task.data]
    having = [task for task in TASKS.values() if model in task.networks]
    readers = ", ".join(dict.fromkeys(name for task in reading for name in task.networks))
    read = ", ".join(dict.fromkeys(name for task in having for name in task.data))
    raise UserError(
        f"--model {model} does not read --data {data}; it reads {read}, and {data} is for the models {readers}"
    )


def _options_in(content: Any, value: object) -> dict[str, Any]:
    """The options of a configuration, with ``model: gru`` spelled ``model: {name: gru}``."""
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
    """Refuses options that only a model trained by gradients has."""
    if checkpoint is not None:
        raise UserError(
            f"{checkpoint} holds {model}, counted all at once: nothing is left to train; see seqlab.evaluate"
        )
    if useless := next((word for word in words if re.match(rf"--({'|'.join(OF_ITS_NAME)})\.", word)), None):
        option = useless.split("=")[0].removesuffix(".name")
        raise UserError(f"{option} means nothing to {model}, which counts; leave it out")


def plan(argv: list[str]) -> Plan:
    """Reads the choices from a command line and its configuration files.

    Raises:
        UserError: A name is unknown, or a file cannot be read.
    """
    arguments = spell_choices(argv, CHOICES)
    check_named(arguments)
    files, rest = _split_off_configs(arguments)
    contents = [_options_in(read_configuration(value), value) for value in files]

    def given(name: str) -> str | None:
        """An option of the command line, or of its configuration files."""
        group, _, key = name.rpartition(".")
        parts = [content.get(group, {}) if group else content for content in contents]
        values = [*(str(part[key]) for part in parts if part.get(key)), *values_of(rest, name)]
        return values[-1] if values else None

    def is_given(option: str) -> bool:
        group, _, key = option.rpartition(".")
        words = [word.partition("=")[0] for word in rest]
        on_line = any(word in (f"--{option}", f"--{option}+") or word.startswith(f"--{option}.") for word in words)
        return on_line or any(key in content.get(group, {}) for content in contents)

    root, checkpoint, resumed = given("trainer.default_root_dir") or ".", None, None
    if which := given("ckpt_path"):
        checkpoint = checkpoint_path(Path(root) / LOGS, which, given("run"))
        content = read_checkpoint(checkpoint)
        resumed = resumed_from(content, checkpoint)
        resumed = resumed._replace(run=name_of(checkpoint, resumed.run))
        claimed = _options_in(parse_configuration(resumed.config, f"the configuration in {checkpoint}"), checkpoint)
        contents.insert(0, believed(claimed, checkpoint, is_given))
    label = Path(files[-1]).stem if files else ""
    chosen: dict[str, str] = {}
    for content in contents:
        chosen |= {key: str(content[key]["name"]) for key in CHOICES if "name" in content.get(key, {})}
    chosen |= {key: values[-1] for key in CHOICES if (values := values_of(rest, f"{key}.name"))}
    for key in (key for key in OF_ITS_NAME if key in chosen):
        chosen[key] = pick(key, chosen[key], known_names(key))
    chosen["task"], chosen["model"], chosen["data"] = choose(chosen.get("model"), chosen.get("data"))
    options_of_model = TASKS[chosen["task"]].networks[chosen["model"]].options
    chosen = {key: str(options_of_model.trained_by[key]["name"]) for key in OF_ITS_NAME} | chosen
    for content, key in product(contents, CHOICES):
        options = content.get(key, {})
        if pick(key, str(options.pop("name", chosen[key])), known_names(key)) != chosen[key] and key in OF_ITS_NAME:
            options.clear()
    if not options_of_model.by_gradients:
        _check_counted(chosen["model"], rest, checkpoint)
    for options in (content["trainer"] for content in contents if "logger" in content.get("trainer", {})):
        options["logger"] = in_run_folder(options["logger"])
    texts = [word for content in contents for word in ("--config", yaml.safe_dump(content))]
    names = [word for key in CHOICES if values_of(rest, f"{key}.name") for word in (f"--{key}.name", chosen[key])]
    return Plan(
        **chosen,
        arguments=[*texts, *words_in_run_folder(rest), *names],
        resumed=resumed,
        label=label,
    )
