"""Data that a resumed run takes from its checkpoint, and changes that make it a different run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import yaml
from torch import Tensor

from seqlab.errors import UserError
from seqlab.runs.provenance import arithmetic
from seqlab.runs.schema import LogEnd, OptimizerState, RunOf, check_shape

EXACT: dict[str, tuple[str, ...]] = {
    "data": (),
    "trainer": (
        "devices",
        "num_nodes",
        "precision",
        "accumulate_grad_batches",
        "gradient_clip_val",
        "limit_train_batches",
    ),
}
"""Options, by group, whose change makes a resumed run a different run; an empty group means all its options."""


class Resumed(NamedTuple):
    """The run in a checkpoint.

    Args:
        path: Path of the checkpoint.
        run: Name of the run.
        config: The configuration as YAML.
        step: Optimizer steps taken.
        arithmetic: Properties of the machine that affect the last digits.
        total_steps: Length of its learning-rate schedule, if that has one.
        log: End of its log, if the checkpoint has it.
        content: The whole checkpoint, see ``without_numbers``.
    """

    path: Path
    run: str
    config: str
    step: int
    arithmetic: dict[str, str | int]
    total_steps: int | None
    log: LogEnd | None
    content: Mapping[str, Any]

    @property
    def codecs(self) -> Mapping[str, Any]:
        """States of its codecs, by name."""
        codecs: Mapping[str, Any] = self.content["seqlab"]["codecs"]
        return codecs


class Resumable(TypedDict):
    """The content of a resumable checkpoint, in addition to the model."""

    run: RunOf
    epoch: int
    global_step: int
    loops: dict[str, dict[str, Any]]
    callbacks: dict[str, dict[str, Any]]
    optimizer_states: list[OptimizerState]
    lr_schedulers: list[dict[str, Any]]


def resumed_from(checkpoint: Mapping[str, Any], path: Path) -> Resumed:
    """The run in a loaded checkpoint.

    Raises:
        UserError: The checkpoint belongs to no run, or cannot be resumed.
    """
    if "run" not in checkpoint:
        raise UserError(f"{path} does not say which run it belongs to; go on with what made it")
    check_shape(checkpoint, Resumable, path)
    if min(checkpoint["global_step"], checkpoint["epoch"]) < 0:
        raise UserError(f"{path} is no sound checkpoint of seqlab: a step or an epoch is below 0; use another one")
    run = checkpoint["run"]
    lengths = [schedule.get("total_steps") for schedule in checkpoint["lr_schedulers"]]
    length = lengths[0] if lengths and isinstance(lengths[0], int) else None
    return Resumed(
        path,
        run["name"],
        run["config"],
        checkpoint["global_step"],
        run.get("arithmetic", {}),
        length,
        run.get("log"),
        without_numbers(checkpoint),
    )


def without_numbers(content: Any) -> Any:
    """A checkpoint with tensors on torch's meta device, where they have a shape and a type but take no memory."""
    if isinstance(content, Tensor):
        return content.to("meta")
    if isinstance(content, dict):
        return {key: without_numbers(value) for key, value in content.items()}
    return type(content)(map(without_numbers, content)) if isinstance(content, list | tuple | set) else content


def changes(resumed: Resumed, config: str) -> list[str]:
    """Changes that make a resumed run differ from an uninterrupted one, for a configuration as YAML."""
    kept, now = yaml.safe_load(resumed.config), yaml.safe_load(config)
    options = [
        f"{key}.{name} is {now[key][name]} and was {value}"
        for key, names in EXACT.items()
        for name, value in kept.get(key, {}).items()
        if (not names or name in names) and name in now[key] and now[key][name] != value
    ]
    machine = [
        f"{name} is {value} and was {resumed.arithmetic[name]}"
        for name, value in arithmetic().items()
        if resumed.arithmetic.get(name, value) != value
    ]
    return [*options, *machine]
