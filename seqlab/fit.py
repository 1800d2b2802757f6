"""``python -m seqlab.fit``: trains a model, logs its progress, writes its checkpoints."""

import logging
import shlex
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch import seed_everything
from lightning.pytorch.utilities import rank_zero_only

from seqlab.callbacks.interruption import Interrupted
from seqlab.cli.build import make_data, make_model, name_of_run
from seqlab.cli.closing import Run, close_run, result_of, say
from seqlab.cli.objects import in_python, split_objects
from seqlab.cli.parser import arguments_of
from seqlab.cli.process import run_verb
from seqlab.cli.settings import Settings, planned, read_settings
from seqlab.cli.trainer import make_trainer
from seqlab.data.data_module import DataModule
from seqlab.data.loader import Shard
from seqlab.errors import UserError, reason_of
from seqlab.models.model import Model
from seqlab.runs.allocator import keep_freed_memory
from seqlab.runs.checkpoint import read_checkpoint
from seqlab.runs.folders import RESULT, check_free, check_name, claimed, clear, is_within, runs_folder
from seqlab.runs.lock import check_untrained, sole_writer
from seqlab.runs.provenance import flush_denormals
from seqlab.runs.ranks import one_fate
from seqlab.runs.result import write_result

Choice = str | Mapping[str, Any] | None
"""A name, or a name and options: ``"lstm"``, ``{"name": "lstm", "hidden_size": 512}``."""


def fit(
    model: Choice = None,
    data: Choice = None,
    optimizer: Choice | Callable[..., Any] = None,
    lr_scheduler: Choice = None,
    trainer: Mapping[str, Any] | None = None,
    *,
    config: str | Sequence[str] | None = None,
    **options: Any,
) -> Run:
    """Trains a model, with the options of ``python -m seqlab.fit``.

    Args:
        model: Name of the model, or a dict of its options with ``name``.
        data: Name of the data, or a dict of its options with ``name``.
        optimizer: Name of the optimizer, or its options; or a class of torch.optim or a partial of one.
        lr_scheduler: Name of the schedule, or its options.
        trainer: Arguments of Lightning's Trainer, including objects such as callbacks and loggers.
        config: YAML file of options, or several; the arguments here override them.
        options: Options of the run: ``seed``, ``run``, ``overwrite``, ``ckpt_path``, ``patience``, ``monitor``,
            ``ckpt_every``, ``on_nan``, ``watch``, ``samples``, ``bar``.

    Raises:
        UserError: An option is wrong.
    """
    with in_python():
        files = [config] if isinstance(config, str) else config or []
        groups = {"model": model, "data": data, "optimizer": optimizer, "lr_scheduler": lr_scheduler}
        plain, objects = split_objects({**groups, "trainer": trainer, **options})
        return run([*(word for file in files for word in ("--config", str(file))), *arguments_of(plain)], objects)


def run(argv: list[str], objects: Mapping[str, Any] | None = None) -> Run:
    """Trains from a command line: argv -> plan -> settings -> data -> model -> trainer -> run.

    Args:
        argv: Arguments after the program's name.
        objects: Python objects that a command line cannot give.
    """
    logging.getLogger("lightning.pytorch.utilities.rank_zero").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")
    keep_freed_memory()
    flush_denormals()
    settings = read_settings(planned(argv))
    trainer_options = settings.config.trainer
    logs = runs_folder(trainer_options.default_root_dir or ".")
    seed_everything(settings.config.seed, workers=True, verbose=False)
    replaces = _replaces(settings, logs)
    data = make_data(settings)
    name, may_number = name_of_run(settings, data)
    keeps = not trainer_options.fast_dev_run
    with claimed(logs, name, may_number, keeps) as folder, _writer(settings, folder, keeps), one_fate(folder.name):
        model, _ = make_model(settings, data, objects or {})
        trainer = make_trainer(settings, data, model, folder, objects or {})
        if settings.plan.network.options.by_gradients:
            data.train_batches(Shard(0, trainer.world_size))
        if replaces and trainer.is_global_zero:
            clear(folder)
        say(trainer, _headline(settings, data, model, folder))
        return _train(settings, data, model, trainer, folder)


def _replaces(settings: Settings, logs: Path) -> bool:
    """Whether to replace an existing run; a run that continues from its own checkpoint is never replaced.

    Raises:
        UserError: The run exists, and ``overwrite`` is off.
    """
    plan, config = settings.plan, settings.config
    name = config.run or (plan.resumed.run if plan.resumed is not None else None)
    own = plan.checkpoint is not None and name is not None and is_within(plan.checkpoint, logs / name)
    if own or config.trainer.fast_dev_run or rank_zero_only.rank != 0:
        return False
    if name is not None and not config.overwrite:
        check_untrained(logs / check_name(name))
        check_free(logs, name)
    return bool(config.overwrite)


def _writer(settings: Settings, folder: Path, keeps: bool) -> AbstractContextManager[None]:
    """Locks the folder against other runs; the first process of a run holds the lock."""
    return sole_writer(folder, settings.config.take_over) if keeps and rank_zero_only.rank == 0 else nullcontext()


def _train(settings: Settings, data: DataModule, model: Model, trainer: pl.Trainer, folder: Path) -> Run:
    started, begun = time.monotonic(), 0 if settings.plan.resumed is None else settings.plan.resumed.step
    last = folder / "checkpoints" / "last.ckpt"
    try:
        trainer.fit(model, data, ckpt_path=settings.plan.checkpoint, weights_only=True)
    except Interrupted as stop:
        step = read_checkpoint(last)["global_step"] if last.is_file() else None
        held = "" if step == trainer.global_step else f" {last} holds {'nothing' if step is None else f'step {step}'}."
        words = f"\nStopped by {stop.signal} after step {trainer.global_step}.{held}"
        say(trainer, words if step is None else f"{words} Go on with:\n  {_resume_command(settings, folder)}")
        raise
    except UserError:
        raise
    except Exception as error:
        if settings.plan.checkpoint is not None and trainer.global_step <= begun:
            reason = f"{type(error).__name__}: {reason_of(error)}"
            raise UserError(f"{settings.plan.checkpoint} cannot be gone on with ({reason}); use another one") from error
        if last.is_file():
            step = read_checkpoint(last)["global_step"]
            words = f"\nTraining failed. {last} holds step {step}; go on with:\n  {_resume_command(settings, folder)}"
            say(trainer, words)
        raise
    if 0 < begun == trainer.global_step:
        more = f"give it more with --trainer.max_epochs {2 * max(1, trainer.current_epoch)}"
        say(trainer, f"\nThis run had finished before, after epoch {trainer.current_epoch}; {more}.")
    done = close_run(settings, data, model, trainer, folder, time.monotonic() - started)
    trained = begun != trainer.global_step or not (folder / RESULT).is_file()
    if trained and trainer.is_global_zero and not trainer.fast_dev_run:
        write_result(folder, result_of(settings, done))
    return done


def _resume_command(settings: Settings, folder: Path) -> str:
    if settings.config.trainer.default_root_dir is None:
        return f"python -m seqlab.fit --ckpt_path last --run {shlex.quote(folder.name)}"
    return f"python -m seqlab.fit --ckpt_path {shlex.quote(str(folder / 'checkpoints' / 'last.ckpt'))}"


def _headline(settings: Settings, data: DataModule, model: Model, folder: Path) -> str:
    weights = ", ".join([f"{model.num_parameters():,} parameters", *model.loaded])
    return f"{settings.plan.model} ({weights}) on {data.corpus_name}: {data.describe()}; run {folder.name}"


def _run(argv: list[str]) -> None:
    run(argv)


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_verb(_run, argv, lasting=True)


if __name__ == "__main__":
    sys.exit(main())
