"""Checks that the states in a checkpoint fit the run that resumes it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.optim import Optimizer

from seqlab.data.data_module import DataModule
from seqlab.errors import UserError
from seqlab.models.model import Model
from seqlab.models.optimization import KERNELS
from seqlab.shapes import mismatch, unlike

OLDER: dict[str, Any] = {"reached": {}}
"""Callback states that earlier versions did not write, and their defaults."""

MEASURED: dict[str, Any] = {
    **dict.fromkeys(("best_score", "best_model_score", "current_score", "kth_value"), Tensor | None),
    "best_k_models": dict[str, Tensor],
    "reached": dict[str, float],
    "epoch": dict[str, float],
    "steps": list[int],
    **dict.fromkeys(("norms", "path"), list[list[float]]),
}
"""Parts of callback states whose size or kind changes after a measurement."""


class Loaders(TypedDict):
    """State of a loop's loaders: the position in each."""

    combined_loader: NotRequired[list[dict[str, int]]]


LOOPS = ("fit_loop", "validate_loop", "test_loop", "predict_loop")
TINY = 2
"""Rows and columns of tiny weights that show the state of an optimizer."""


def check_states(checkpoint: Mapping[str, Any], trainer: Trainer, model: Model, data: DataModule, path: Path) -> None:
    """Checks the states of callbacks, loops, data, optimizers and schedules in a checkpoint before they are used.

    Args:
        checkpoint: Content of the checkpoint; of its tensors only sizes and types are read.
        trainer: Trainer of the resumed run.
        model: Model of the resumed run.
        data: Data of the resumed run.
        path: Path of the checkpoint, for messages.

    Raises:
        UserError: A state does not fit its part of the run.
    """
    wrong = (
        _of_callbacks(checkpoint["callbacks"], trainer)
        or _of_loops(checkpoint["loops"], trainer)
        or _of_data(checkpoint, data)
        or _of_optimizers(checkpoint, model)
    )
    if wrong is not None:
        raise UserError(f"{path} cannot be gone on with: {wrong}, unlike what this run keeps; use another one")


def _of_callbacks(kept: Mapping[str, Any], trainer: Trainer) -> str | None:
    for callback in trainer.callbacks:
        own, there = callback.state_dict(), kept.get(callback.state_key)
        if own and there is not None:
            free = {key: None for key in own if key in MEASURED}
            older = {key: one for key, one in OLDER.items() if key in own and isinstance(there, dict)}
            wrong = unlike({**older, **there} if older else there, {**own, **free}, callback.state_key)
            wrong = wrong or next(
                filter(None, (mismatch(there.get(k), MEASURED[k], k) for k in free if k in there)), None
            )
            if wrong is not None:
                return wrong
    return None


def _of_loops(kept: Mapping[str, Any], trainer: Trainer) -> str | None:
    for name in LOOPS:
        own = getattr(trainer, name).state_dict()
        there = kept.get(name)
        if there is None:
            return f"loops lack {name}"
        if not isinstance(there, dict):
            return f"{name} is a {type(there).__name__}"
        free = {key: None for key in own if key.endswith("state_dict")}
        if found := unlike(there, {**own, **free}, name):
            return found
        places = there.get("state_dict", {})
        if found := mismatch(places, Loaders, f"{name}.state_dict"):
            return found
        for place in places.get("combined_loader", []):
            if found := _of_place(place, f"{name}.state_dict"):
                return found
    return None


def _of_data(checkpoint: Mapping[str, Any], data: DataModule) -> str | None:
    place = checkpoint.get(type(data).__qualname__)
    return _of_place(place, "the place in the data") if place else None


def _of_place(place: object, name: str) -> str | None:
    """The state of a loader, with or without the number of used batches, which earlier versions did not write."""
    counts = ("epoch", "index", "used") if isinstance(place, dict) and "used" in place else ("epoch", "index")
    return unlike(place, dict.fromkeys(counts, 0), name)


def _of_optimizers(checkpoint: Mapping[str, Any], model: Model) -> str | None:
    configured = model.configure_optimizers()
    optimizer = configured["optimizer"] if isinstance(configured, dict) else configured
    schedules = [configured["lr_scheduler"]["scheduler"]] if isinstance(configured, dict) else []
    kept, lengths = checkpoint["optimizer_states"], checkpoint["lr_schedulers"]
    if len(kept) != 1 or len(lengths) != len(schedules):
        return f"it has {len(kept)} optimizers and {len(lengths)} schedules"
    for there, schedule in zip(lengths, schedules, strict=True):
        if found := unlike(there, schedule.state_dict(), "the schedule"):
            return found
    groups = optimizer.state_dict()["param_groups"]
    if len(groups) != len(kept[0]["param_groups"]):
        return f"the optimizer has {len(kept[0]['param_groups'])} groups of weights"
    for there, group in zip(kept[0]["param_groups"], groups, strict=True):
        own = dict.fromkeys(KERNELS)
        if found := unlike({**group, **there, **own}, {**group, **own}, "the optimizer"):
            return found
        if there.get("params") != group["params"]:
            return "the optimizer has other weights"
    return _of_weights(kept[0]["state"], optimizer)


def _of_weights(kept: Mapping[int, Any], optimizer: Optimizer) -> str | None:
    """Compares the optimizer state of each weight with that of a tiny weight under the same optimizer."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    for number, state in kept.items():
        if not 0 <= number < len(weights):
            return f"the optimizer has a weight {number}"
        tiny = _kept_of_tiny(optimizer, weights[number])
        for key, one in state.items() if tiny is not None else ():
            name = f"{key} of weight {number}"
            other = cast(dict[str, Any], tiny).get(key)
            if key not in cast(dict[str, Any], tiny) or isinstance(one, Tensor) != isinstance(other, Tensor):
                return f"the optimizer has {name}"
            if isinstance(one, Tensor) and isinstance(other, Tensor):
                whole = other.shape == _tiny(weights[number]).shape
                if one.ndim != other.ndim or (whole and one.shape != weights[number].shape):
                    return f"{name} has {' x '.join(map(str, one.shape)) or 'no'} numbers"
        if tiny is not None and (missing := [key for key, one in tiny.items() if key not in state and one is not None]):
            return f"the optimizer lacks {missing[0]} of weight {number}"
    return None


def _tiny(weight: Tensor) -> Tensor:
    return torch.zeros([min(size, TINY) for size in weight.shape], dtype=weight.dtype)


def _kept_of_tiny(optimizer: Optimizer, weight: Tensor) -> dict[str, Any] | None:
    """The optimizer state after a step with a tiny weight; None if the optimizer cannot take such a step."""
    tiny = torch.nn.Parameter(_tiny(weight))
    tiny.grad = torch.ones_like(tiny)
    try:
        made = type(optimizer)([tiny], **optimizer.defaults)
        made.step()
    except (RuntimeError, TypeError, ValueError):
        return None
    return dict(made.state[tiny])
