"""Optimizers and learning-rate schedules by name, and their form as plain values."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from seqlab.errors import UserError, reason_of
from seqlab.models import schedules
from seqlab.models.sparse_adagrad import SparseAdagrad

OptimizerCallable = Callable[[Iterable[nn.Parameter]], Optimizer]
SchedulerCallable = Callable[[Optimizer], LRScheduler]

UNNAMEABLE = {"LambdaLR", "MultiplicativeLR", "SequentialLR", "ChainedScheduler", "LRScheduler", "_LRScheduler"}
"""Schedules that take functions or other schedules, which a command line cannot give."""

OPTIMIZERS: dict[str, type[Optimizer]] = {
    name.lower(): kind
    for name, kind in vars(torch.optim).items()
    if inspect.isclass(kind) and issubclass(kind, Optimizer) and kind not in (Optimizer, torch.optim.SparseAdam)
}
"""Optimizers of torch, without the one only for sparse gradients."""

TAKE_SPARSE = (torch.optim.Adagrad, torch.optim.SGD)
"""Optimizers that take both sparse and dense gradients."""
NOT_SPARSE = ("weight_decay", "momentum")
"""Options that change all weights at every step and so do not fit sparse gradients."""

SCHEDULERS: dict[str, Callable[..., Any]] = {
    name.lower(): kind
    for name, kind in {**vars(lr_scheduler), **vars(schedules)}.items()
    if inspect.isclass(kind) and issubclass(kind, lr_scheduler.LRScheduler) and name not in UNNAMEABLE
}
STEP_WISE = {"warmupcosinelr", "noamlr", "onecyclelr", "cycliclr"}
"""Schedules that count optimizer steps instead of epochs."""

Plain = str | int | float | bool | None


def plainly(made: Callable[..., Any] | None, known: Mapping[str, Callable[..., Any]]) -> dict[str, Any] | None:
    """A class, or a partial of one, as its name and its plain arguments.

    Args:
        made: Class or partial of an optimizer or a schedule.
        known: Names of the classes of torch; other classes keep their Python name.
    """
    if made is None:
        return None
    kind, given = (made.func, made.keywords) if isinstance(made, partial) else (made, {})
    own = getattr(kind, "__qualname__", type(kind).__name__)
    name = next((name for name, one in known.items() if one is kind), own)
    values = {key: list(value) if isinstance(value, tuple) else value for key, value in given.items()}
    return {"name": name, **{key: value for key, value in values.items() if _is_plain(value)}}


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return isinstance(value, Plain)


def of_plain(kept: Mapping[str, Any] | None, known: Mapping[str, Callable[..., Any]]) -> Any:
    """The class or partial that ``plainly`` described, if it is one of torch; otherwise None."""
    if kept is None or kept.get("name") not in known:
        return None
    return partial(known[kept["name"]], **{key: value for key, value in kept.items() if key != "name"})


def by_name(states: list[dict[str, Any]], kept: Sequence[str], names: Sequence[str]) -> None:
    """Renumbers the optimizer state of each weight, if the model has its parameters in another order.

    Args:
        states: States of the optimizers of a checkpoint, changed in place.
        kept: Names of the parameters in the order in which the checkpoint numbers them.
        names: The same names in the order of the model.
    """
    if list(kept) == list(names) or set(kept) != set(names):
        return
    place = {number: names.index(name) for number, name in enumerate(kept)}
    for state in states:
        state["state"] = {place[number]: values for number, values in state["state"].items()}


def in_groups(parameters: Iterable[tuple[str, nn.Parameter]], matrices_alone: bool) -> Any:
    """Parameter groups for an optimizer: one group, or a second group without weight decay for all but matrices.

    Args:
        parameters: Parameters by name.
        matrices_alone: Whether weight decay applies only to matrices.
    """
    if not matrices_alone:
        return [parameter for _, parameter in parameters]
    groups: tuple[list[nn.Parameter], list[nn.Parameter]] = ([], [])
    for _, parameter in parameters:
        groups[parameter.ndim < 2].append(parameter)
    matrices, others = ({"params": group} for group in groups)
    return [group for group in (matrices, {**others, "weight_decay": 0.0}) if group["params"]]


def in_order(parameters: Iterable[tuple[str, nn.Parameter]], matrices_alone: bool) -> list[str]:
    """Names of the parameters in the order in which an optimizer of ``in_groups`` numbers them."""
    named = [(name, parameter.ndim < 2) for name, parameter in parameters]
    return [name for name, _ in (sorted(named, key=lambda one: one[1]) if matrices_alone else named)]


def of_sparse(optimizer: Optimizer) -> Optimizer:
    """An optimizer for sparse gradients; Adagrad runs compiled code if possible.

    Raises:
        UserError: The optimizer or an option does not take sparse gradients.
    """
    if not isinstance(optimizer, TAKE_SPARSE):
        names = " or ".join(kind.__name__.lower() for kind in TAKE_SPARSE)
        kind = type(optimizer).__name__.lower()
        raise UserError(f"the optimizer {kind} does not take the sparse gradients of this model; give {names}")
    for name in NOT_SPARSE:
        if any(group.get(name) for group in optimizer.param_groups):
            raise UserError(f"--optimizer.{name} is not for the sparse gradients of this model; leave it out")
    torch.sparse.check_sparse_tensor_invariants.disable()  # the default, set here to avoid a warning
    return SparseAdagrad.like(optimizer) if type(optimizer) is torch.optim.Adagrad else optimizer


def coalesced(gradient: Tensor) -> Tensor:
    """A sparse gradient with each row once; torch loses this property's flag when it accumulates gradients.

    Args:
        gradient: Gradient of rows of a table; checking that its ids ascend is faster than sorting them.
    """
    ids = gradient._indices()[0]
    if gradient.sparse_dim() == 1 and bool((ids.diff() > 0).all()):
        return gradient._coalesced_(True)
    return gradient.coalesce()


@contextmanager
def rates_of(schedule: object) -> Iterator[None]:
    """A context in which a schedule computes rates.

    Raises:
        UserError: The rate cannot be computed: a number is too large, or there is a division by 0.
    """
    try:
        yield
    except ArithmeticError as error:
        kind = getattr(schedule, "func", type(schedule)).__name__.lower()
        words = f"the schedule {kind} gives no learning rate with these options ({reason_of(error)})"
        raise UserError(f"{words}; give --lr_scheduler's options smaller numbers") from None


def in_one_pass(optimizer: Optimizer) -> Optimizer:
    """Selects torch's fused update, if torch has one and the user made no choice. On a CPU it is not the default, and
    Adam takes four times as long without it."""
    for group in optimizer.param_groups:
        on_cpu = all(weight.device.type == "cpu" for weight in group["params"])
        chosen = group.get("foreach") or group.get("differentiable")
        if group.get("fused", False) is None and on_cpu and not chosen:
            group["fused"] = True
    optimizer.register_load_state_dict_pre_hook(_with_own_kernels)
    return optimizer


KERNELS = ("fused", "foreach")
"""Options of an optimizer's groups that depend on the machine and do not change the result."""


def _with_own_kernels(optimizer: Optimizer, kept: dict[str, Any]) -> dict[str, Any]:
    """An optimizer state, perhaps of another machine, with this machine's values of these options."""
    pairs = zip(kept["param_groups"], optimizer.param_groups, strict=False)
    groups = [{**there, **{key: own[key] for key in KERNELS if key in own}} for there, own in pairs]
    return {**kept, "param_groups": groups}
