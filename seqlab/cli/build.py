"""From settings to data, a model and a run's name, step by step."""

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from lightning.pytorch.utilities import rank_zero_only
from torch.optim.lr_scheduler import ReduceLROnPlateau

from seqlab.cli.parser import typed
from seqlab.cli.settings import Settings
from seqlab.data import DATA
from seqlab.data.data_module import DataModule
from seqlab.data.loader import Shard, used_of
from seqlab.errors import UserError
from seqlab.models.model import Model
from seqlab.models.optimization import OPTIMIZERS, SCHEDULERS
from seqlab.models.schedules import WarmupCosineLR
from seqlab.models.sizes import check_fits, steps_of
from seqlab.runs.checkpoint import check_resumable
from seqlab.runs.folders import check_name, run_name
from seqlab.runs.ranks import shared_run
from seqlab.runs.resuming import Resumed, changes
from seqlab.text.any_codec import AnyCodec, codec_of
from seqlab.text.tokenize import name_of_state


class Schedule(NamedTuple):
    """A learning-rate schedule before it has an optimizer.

    Args:
        made: Optimizer -> schedule; None for a constant rate.
        interval: Its unit, ``epoch`` or ``step``.
        total_steps: Its length, if it has one.
    """

    made: Callable[..., Any] | None
    interval: Any
    total_steps: int | None


@contextmanager
def spelled(group: str, options: Mapping[str, Any]) -> Iterator[None]:
    """A context in which error messages name an option of a group with its full name."""
    try:
        yield
    except UserError as error:
        name, _, rest = str(error).partition(" ")
        if name not in options:
            raise
        raise UserError(f"--{group}.{name} {rest}") from None


def make_data(settings: Settings) -> DataModule:
    """The data, read and cut into its parts.

    Raises:
        UserError: The data cannot be read, or an option is wrong.
    """
    read: Callable[..., DataModule] = DATA[settings.plan.data]
    _check_parts(settings)
    options, resumed = settings.of("data"), settings.plan.resumed
    if resumed is not None:
        options |= _rules_kept(resumed, options.get("tokens"))
    with spelled("data", options):
        return read(**options, seed=settings.config.seed)


def _check_parts(settings: Settings) -> None:
    """Refuses a share of the data for a part that has a file of its own."""
    given = {option for option, value in typed(settings.plan.arguments) if value != "null"}
    for part in ("val", "test"):
        path, share = f"--data.{part}_path", f"--data.{part}_fraction"
        if {path, share} <= given:
            raise UserError(f"{share} means nothing beside {path}, which is the whole part; leave one of them out")


def _rules_kept(resumed: Resumed, tokens: str | None) -> dict[str, str]:
    """The tokenizer rules of a checkpoint, if newer rules now have the same name."""
    kept = {name_of_state(state["tokenizer"]) for state in resumed.codecs.values() if "tokenizer" in state}
    return {"tokens": old} if (old := f"{tokens}_1") in kept else {}


def name_of_run(settings: Settings, data: DataModule) -> tuple[str, bool]:
    """The given name, or the resumed run's name, or a name from the options that differ from the defaults.

    Returns:
        The name, and whether a number may be added if an earlier run has the same name.
    """
    plan = settings.plan
    if settings.config.run:
        return check_name(settings.config.run), False
    if plan.resumed is not None:
        return plan.resumed.run, False
    if (shared := shared_run()) is not None:
        return shared, False
    words = [plan.label] if plan.label else [plan.model, data.corpus_name]
    if plan.label and data.corpus_name == "sample":
        words.append("on-sample")
    return run_name(*words, *settings.changes()), not settings.config.overwrite


def make_model(settings: Settings, data: DataModule, objects: Mapping[str, Any]) -> tuple[Model, Schedule]:
    """The model with initialized weights, its optimizer and its schedule.

    Args:
        settings: Settings of the run.
        data: The training data.
        objects: Python objects that a command line cannot give: an ``optimizer``.

    Raises:
        UserError: The options of the model, optimizer or schedule do not fit, or the checkpoint holds another one.
    """
    plan, given = settings.plan, settings.of("model")
    if plan.resumed is not None:
        given = {key: value for key, value in given.items() if key not in plan.network.options.read_once()}
    schedule = _schedule(settings, data)
    optimizer = objects.get("optimizer") or partial(OPTIMIZERS[plan.optimizer], **settings.of("optimizer"))
    with spelled("model", given):
        options = plan.network.made(given)
    if options.by_gradients:
        check_fits(plan.row.model, options, data.codecs, steps_of(data.train_batches(Shard()).batch(0, 0)))
    model = plan.row.model(options, _codecs(settings, data), optimizer, schedule.made, schedule.interval, plan.model)
    model.check_data(data)
    try:
        _try(settings, data, model, schedule)
    except (ValueError, TypeError, LookupError, ArithmeticError) as error:
        raise UserError(f"the optimizer or its schedule refuses its options: {error}; see --help_all") from None
    if plan.resumed is not None:
        check_resumable(plan.resumed.content, plan.resumed.path, model.state_dict(), model.codec_states())
        _say_what_changes(settings, plan.resumed, schedule)
    return model, schedule


def _codecs(settings: Settings, data: DataModule) -> dict[str, AnyCodec]:
    """The codecs of the data, and those that a resumed model has beside them."""
    resumed = settings.plan.resumed
    kept = {} if resumed is None else resumed.codecs
    return {**data.codecs, **{name: codec_of(state) for name, state in kept.items() if name not in data.codecs}}


def batches_used(settings: Settings, data: DataModule) -> int:
    """Number of batches of an epoch that the trainer uses."""
    return used_of(len(data.train_batches(Shard())), settings.config.trainer.limit_train_batches)


def _schedule(settings: Settings, data: DataModule) -> Schedule:
    arguments, name = settings.of("lr_scheduler"), settings.plan.lr_scheduler
    interval = arguments.pop("interval", "epoch")
    if name == "none":
        return Schedule(None, interval, None)
    counted = arguments.get("epochs") is not None and arguments.get("steps_per_epoch") is not None
    if "total_steps" in arguments and arguments["total_steps"] is None and not counted:
        arguments["total_steps"] = _planned(settings, data, interval)
        if arguments["total_steps"] is None:
            raise UserError(
                f"{name} must know how long training takes; give --trainer.max_epochs, --trainer.max_steps or "
                "--lr_scheduler.total_steps"
            )
    return Schedule(partial(SCHEDULERS[name], **arguments), interval, arguments.get("total_steps"))


def _planned(settings: Settings, data: DataModule, interval: str) -> int | None:
    """Optimizer steps, or epochs, of training without early stopping; None without a limit."""
    trainer = settings.config.trainer
    steps = max(1, -(-batches_used(settings, data) // trainer.accumulate_grad_batches))
    bounds = [] if trainer.max_steps == -1 else [int(trainer.max_steps)]
    if trainer.max_epochs not in (None, -1):
        bounds.append(steps * int(trainer.max_epochs))
    if not bounds:
        return None
    return min(bounds) if interval == "step" else -(-min(bounds) // steps)


def _try(settings: Settings, data: DataModule, model: Model, schedule: Schedule) -> None:
    """Tests the optimizer and its schedule with a few steps, so that neither fails during training.

    Raises:
        UserError: The schedule ends before training and cannot continue.
    """
    made = model.configure_optimizers()
    if not isinstance(made, dict):
        return
    tried = made["lr_scheduler"]["scheduler"]
    end = getattr(tried, "total_steps", None)
    if end is not None:
        _check_end(settings, _planned(settings, data, schedule.interval), end, schedule.interval)
    if not isinstance(tried, ReduceLROnPlateau):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch misses a step of the optimizer
            tried.step()


def _check_end(settings: Settings, planned: int | None, end: int, unit: str) -> None:
    if planned is not None and planned <= end:
        return
    name, takes = settings.plan.lr_scheduler, "has no end" if planned is None else f"takes {planned:,}"
    by_epochs = settings.of("lr_scheduler").get("total_steps") is None
    options = "epochs and --lr_scheduler.steps_per_epoch" if by_epochs else "total_steps"
    words = f"{name} ends after {end:,} {unit}s (--lr_scheduler.{options}), and this run {takes}"
    out = "leave those options out" if by_epochs else "leave that option out"
    anew = out if settings.plan.resumed is None else "train anew"
    way_out = f"{anew}, or bound the run with --trainer.max_{unit}s {end}"
    if SCHEDULERS[name] is not WarmupCosineLR:
        raise UserError(f"{words}; {way_out}")
    if rank_zero_only.rank == 0:
        print(f"seqlab: {words}, the rest of it at the last rate; {way_out}", file=sys.stderr)


def _say_what_changes(settings: Settings, resumed: Resumed, schedule: Schedule) -> None:
    lengths = _length_changed(settings, resumed.total_steps, schedule.total_steps)
    changed = [*changes(resumed, settings.as_yaml()), *lengths]
    if changed and rank_zero_only.rank == 0:
        words = "; from here on the numbers differ from those of an uninterrupted run"
        print(f"seqlab: {', '.join(changed)}{words}", file=sys.stderr)


def _length_changed(settings: Settings, before: int | None, now: int | None) -> list[str]:
    """A note that the length of a schedule has changed.

    Raises:
        UserError: This kind of schedule cannot change its length.
    """
    if before is None or now in (None, before):
        return []
    name = settings.plan.lr_scheduler
    if SCHEDULERS[name] is not WarmupCosineLR:
        raise UserError(
            f"{name} was begun for {before} steps and cannot go on for {now}; "
            "leave --trainer.max_epochs, --trainer.max_steps and --lr_scheduler.total_steps as they were, or train anew"
        )
    return [f"total_steps of the schedule is {now} and was {before}"]
