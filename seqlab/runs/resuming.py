"""What a run that goes on takes from its checkpoint, and what makes it another one."""

from typing import NamedTuple

import yaml

from seqlab.runs.provenance import arithmetic

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
"""Options, by group, whose change makes a resumed run another one; all of a group where none is named."""


class Resumed(NamedTuple):
    """What a checkpoint says of its run.

    Args:
        run: Its name.
        config: The configuration as YAML.
        step: Optimizer steps taken.
        arithmetic: What decides its last digits.
        total_steps: Length of its learning-rate schedule, if that has one.
    """

    run: str
    config: str
    step: int
    arithmetic: dict[str, str | int]
    total_steps: int | None = None


def changes(resumed: Resumed, config: str) -> list[str]:
    """What makes a run go on with other numbers than it would have had, under a configuration as YAML."""
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
