"""Optimizers and learning-rate schedules by name, and how they are kept as plain values."""

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
"""Schedules that take functions or other schedules, which no command line can spell."""

OPTIMIZERS: dict[str, type[Optimizer]] = {
    name.lower(): kind
    for name, kind in vars(torch.optim).items()
    if inspect.isclass(kind) and issubclass(kind, Optimizer) and kind not in (Optimizer, torch.optim.SparseAdam)
}
"""But the one for sparse gradients alone."""

TAKE_SPARSE = (torch.optim.Adagrad, torch.optim.SGD)
"""Those that take sparse gradients and dense ones."""
NOT_SPARSE = ("weight_decay", "momentum")
"""What they do to all weights at every step, which sparse gradients are there to avoid."""

SCHEDULERS: dict[str, Callable[..., Any]] = {
    name.lower(): kind
    for name, kind in {**vars(lr_scheduler), **vars(schedules)}.items()
    if inspect.isclass(kind) and issubclass(kind, lr_scheduler.LRScheduler) and name not in UNNAMEABLE
}
STEP_WISE = {"warmupcosinelr", "noamlr", "onecyclelr", "cycliclr"}
"""Schedules that count optimizer steps rather than epochs."""

Plain = str | int | float | bool | None


def plainly(made: Callable[..., Any] | None, known: Mapping[str, Callable[..., Any]]) -> dict[str, Any] | None:
    """A class, or a partial of one, as its name and the plain arguments that were given to it.

    Args:
        made: What makes an optimizer or a schedule.
        known: Names of those of torch; others keep the name that they have in Python.
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
    """What ``plainly`` kept, where it is of torch; none otherwise."""
    if kept is None or kept.get("name") not in known:
        return None
    return partial(known[kept["name"]], **{key: value for key, value in kept.items() if key != "name"})


def by_name(states: list[dict[str, Any]], kept: Sequence[str], names: Sequence[str]) -> None:
    """Renumbers what optimizers keep of each weight, where a model now has its parameters in another order.

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
    """The parameters as an optimizer takes them: all alike, or with a weight decay of 0 for all but matrices.

    Args:
        parameters: By name.
        matrices_alone: Whether weight decay is for matrices.
    """
    if not matrices_alone:
        return [parameter for _, parameter in parameters]
    groups: tuple[list[nn.Parameter], list[nn.Parameter]] = ([], [])
    for _, parameter in parameters:
        groups[parameter.ndim < 2].append(parameter)
    matrices, others = ({"params": group} for group in groups)
    return [group for group in (matrices, {**others, "weight_decay": 0.0}) if group["params"]]


def in_order(parameters: Iterable[tuple[str, nn.Parameter]], matrices_alone: bool) -> list[str]:
    """Their names in the order in which an optimizer of ``in_groups`` numbers them."""
    named = [(name, parameter.ndim < 2) for name, parameter in parameters]
    return [name for name, _ in (sorted(named, key=lambda one: one[1]) if matrices_alone else named)]


def of_sparse(optimizer: Optimizer) -> Optimizer:
    """An optimizer that is to take sparse gradients; Adagrad is compiled where it can be.

    Raises:
        UserError: It cannot.
    """
    if not isinstance(optimizer, TAKE_SPARSE):
        names = " or ".join(kind.__name__.lower() for kind in TAKE_SPARSE)
        kind = type(optimizer).__name__.lower()
        raise UserError(f"the optimizer {kind} does not take the sparse gradients of this model; give {names}")
    for name in NOT_SPARSE:
        if any(group.get(name) for group in optimizer.param_groups):
            raise UserError(f"--optimizer.{name} is not for the sparse gradients of this model; leave it out")
    torch.sparse.check_sparse_tensor_invariants.disable()  # as they are by themselves, but without a warning
    return SparseAdagrad.like(optimizer) if type(optimizer) is torch.optim.Adagrad else optimizer


def coalesced(gradient: Tensor) -> Tensor:
    """A sparse gradient with each row once; torch forgets of one that it accumulates that this is so already.

    Args:
        gradient: Gradient of rows of a table; its rising ids are seen in less time than sorting them takes.
    """
    ids = gradient._indices()[0]
    if gradient.sparse_dim() == 1 and bool((ids.diff() > 0).all()):
        return gradient._coalesced_(True)
    return gradient.coalesce()


@contextmanager
def rates_of(schedule: object) -> Iterator[None]:
    """Where a schedule computes rates.

    Raises:
        UserError: It cannot: a number is too large, or is divided by 0.
    """
    try:
        yield
    except ArithmeticError as error:
        kind = getattr(schedule, "func", type(schedule)).__name__.lower()
        words = f"the schedule {kind} gives no learning rate with these options ({reason_of(error)})"
        raise UserError(f"{words}; give --lr_scheduler's options smaller numbers") from None


def in_one_pass(optimizer: Optimizer) -> Optimizer:
    """Has torch update each weight in one pass over it, where it can and the user left the choice; on a CPU it does not
    by itself, and Adam takes four times as long."""
    for group in optimizer.param_groups:
        on_cpu = all(weight.device.type == "cpu" for weight in group["params"])
        chosen = group.get("foreach") or group.get("differentiable")
        if group.get("fused", False) is None and on_cpu and not chosen:
            group["fused"] = True
    optimizer.register_load_state_dict_pre_hook(_with_own_kernels)
    return optimizer


KERNELS = ("fused", "foreach")
"""Options of an optimizer's groups that say how it computes on this machine, and not what."""


def _with_own_kernels(optimizer: Optimizer, kept: dict[str, Any]) -> dict[str, Any]:
    """A state, perhaps of another machine, that leaves to this one how it computes."""
    pairs = zip(kept["param_groups"], optimizer.param_groups, strict=False)
    groups = [{**there, **{key: own[key] for key in KERNELS if key in own}} for there, own in pairs]
    return {**kept, "param_groups": groups}
