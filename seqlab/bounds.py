"""Bounds of options that are arguments of functions, by name; options of models declare their own bounds."""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from seqlab.errors import UserError
from seqlab.options import Bounds

COUNT = Bounds(least=1, most=10**9)
ANY = Bounds(least=-(2**63), most=2**63)
"""Bounds of whole numbers without bounds of their own: the range of int64."""
WHOLE = re.compile(r"-?\d{1,30}")

BOUNDS: Mapping[str, Bounds] = {
    "patience": Bounds(least=0, most=10**9),
    "trainer.val_check_interval": Bounds(above=0),
    "trainer.num_sanity_val_steps": Bounds(least=-1),
    "trainer.max_epochs": Bounds(least=-1),
    "trainer.max_steps": Bounds(least=-1),
    "trainer.min_epochs": Bounds(least=0),
    "trainer.min_steps": Bounds(least=0),
    "trainer.limit_train_batches": Bounds(least=0),
    "trainer.limit_val_batches": Bounds(least=0),
    "trainer.limit_test_batches": Bounds(least=0),
    "trainer.limit_predict_batches": Bounds(least=0),
    "trainer.overfit_batches": Bounds(least=0),
    "trainer.fast_dev_run": Bounds(least=0, most=10**9),
    "trainer.num_nodes": Bounds(least=1, most=10_000),
    "trainer.devices": Bounds(least=-1, most=10_000),
    "trainer.accumulate_grad_batches": Bounds(most=10**9),
    "trainer.reload_dataloaders_every_n_epochs": Bounds(least=0),
    "optimizer.history_size": Bounds(least=1, most=10**4),
    "optimizer.max_iter": COUNT,
    "lr_scheduler.step_size": COUNT,
    "lr_scheduler.T_max": COUNT,
    "lr_scheduler.T_0": COUNT,
    "lr_scheduler.T_mult": COUNT,
    "lr_scheduler.total_iters": COUNT,
    "lr_scheduler.step_size_up": COUNT,
    "lr_scheduler.step_size_down": COUNT,
    "lr_scheduler.total_steps": COUNT,
    "lr_scheduler.epochs": COUNT,
    "lr_scheduler.steps_per_epoch": COUNT,
    "lr_scheduler.patience": Bounds(least=0, most=10**9),
    "data.batch_size": Bounds(most=2**24),
    "data.num_steps": Bounds(most=2**24),
    "data.num_subwords": Bounds(most=10**6),
    "data.max_length": Bounds(most=10**6),
    "data.eval_streams": Bounds(most=10**6),
    "data.strings": Bounds(most=10**7),
    "data.val_strings": Bounds(most=10**7),
    "data.test_strings": Bounds(most=10**7),
    "data.most_digits": Bounds(most=1000),
    "data.most_gap": Bounds(most=1000),
    "data.folds": Bounds(most=10**5),
    "num_tokens": Bounds(most=10**6),
    "num_samples": Bounds(most=10**4),
    "num_steps": Bounds(least=1, most=10**5),
    "num_frequent": Bounds(most=10**6),
    "beam_size": Bounds(most=1000),
    "n_best": Bounds(most=1000),
    "max_length": Bounds(most=10**5),
    "min_length": Bounds(most=10**5),
    "no_repeat_ngram": Bounds(most=10**5),
    "length_penalty": Bounds(least=-100, most=100),
    "length_factor": Bounds(most=10**4),
    "length_addend": Bounds(most=10**5),
    "errors": Bounds(most=10**6),
    "sentences": Bounds(most=10**9),
    "num_sentences": Bounds(most=10**9),
    "seeds": Bounds(least=1, most=10**4),
    "jobs": Bounds(most=1000),
    "trials": Bounds(least=1, most=10**5),
    "folds": Bounds(most=10**4),
    "hidden_size": Bounds(most=2**20),
    "steps": Bounds(most=10**8),
    "batch_size": Bounds(most=2**24),
}

NAMES = {
    *("attention", "bar", "c", "ckpt_path", "cleaning", "config", "data", "device", "dir", "every", "format", "input"),
    *("items", "lr_scheduler", "model", "monitor", "name", "optimizer", "output", "path", "root", "run", "sampler"),
    *("split", "task", "tokens", "vary", "vectors"),
}
"""Options, or endings of option names, that name something and so must not be empty."""


def check_bounds(option: str, value: object) -> None:
    """Checks a number against the bounds of an option, by its dotted name.

    Raises:
        UserError: The number is outside its bounds.
    """
    bounds = BOUNDS.get(option, ANY)
    if bounds is ANY and not isinstance(value, int):
        return
    if isinstance(value, str) and WHOLE.fullmatch(value):  # types that also admit words keep digits as text
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or bounds.hold(value):
        return
    raise UserError(
        f"--{option} {value} must be {bounds.broken(value).rule(isinstance(value, int) and bounds.above is None)}"
    )


def rule_of(option: str) -> str:
    """Bounds of an option for ``--help``; empty without bounds."""
    return BOUNDS[option].told() if option in BOUNDS else ""


def check_all(group: str, values: Mapping[str, Any]) -> None:
    """Checks numbers against the bounds of the options of a group, or of a verb if the group is empty.

    Raises:
        UserError: A number is outside its bounds.
    """
    for name, value in values.items():
        check_bounds(f"{group}.{name}" if group else name, value)


def check_named(arguments: list[str]) -> None:
    """Checks that no option of a command line that names something is empty.

    Raises:
        UserError: An option is empty.
    """
    for word, after in pairwise([*arguments, "--"]):
        option, equals, value = word.partition("=")
        if not option.startswith("-") or (value if equals else after).strip():
            continue
        last = option.lstrip("-").rpartition(".")[2]
        if last in NAMES or last.rpartition("_")[2] in NAMES:
            raise UserError(f"{option.removesuffix('.name')} '' is empty; give it a value, or leave it out")
