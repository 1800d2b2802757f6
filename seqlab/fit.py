"""``python -m seqlab.fit``: trains a model, logs its progress, writes its checkpoints."""

import logging
import shlex
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import lightning.pytorch as pl
from lightning.pytorch import seed_everything
from lightning.pytorch.utilities import rank_zero_only

from seqlab.callbacks.board import Board
from seqlab.callbacks.clock import Clock
from seqlab.callbacks.divergence import Divergence
from seqlab.callbacks.interruption import Interrupted
from seqlab.callbacks.keeping import KeepBest, KeepLast
from seqlab.callbacks.tally import Tally
from seqlab.callbacks.training_log import TrainingLog
from seqlab.cli.bar import Bar, bar_of
from seqlab.cli.build import make_data, make_model, name_of_run
from seqlab.cli.objects import in_python, split_objects
from seqlab.cli.parser import arguments_of
from seqlab.cli.process import run_verb
from seqlab.cli.settings import Settings, planned, read_settings
from seqlab.cli.trainer import make_trainer
from seqlab.data.data_module import DataModule
from seqlab.data.loader import Shard
from seqlab.errors import UserError, reason_of
from seqlab.metrics import LOSS, with_loss
from seqlab.models.model import Model
from seqlab.runs.allocator import keep_freed_memory
from seqlab.runs.checkpoint import read_checkpoint
from seqlab.runs.folders import RESULT, check_free, check_name, claimed, clear, is_within, runs_folder
from seqlab.runs.lock import check_untrained, sole_writer
from seqlab.runs.provenance import flush_denormals
from seqlab.runs.ranks import one_fate
from seqlab.runs.result import told, write_result


@dataclass(frozen=True, repr=False)
class Run:
    """Result of a training run.

    Args:
        model: The model with the weights of the last step.
        data: The training data.
        trainer: The trainer.
        checkpoint: The best checkpoint by the monitored value; the last without validation, None if none was written.
        metrics: Last logged values, by name. ``train/loss`` and its derived values are means over the last epoch;
            ``best/val_loss`` and others are those of the best validation.
        folder: Folder of the run.
        bar: Result of the task's counted baseline, if it was measured.
    """

    model: Model
    data: DataModule
    trainer: pl.Trainer
    checkpoint: Path | None
    metrics: dict[str, float]
    folder: Path
    bar: Bar | None = None

    def __repr__(self) -> str:
        reached = ", ".join(f"{name} {value:.4g}" for name, value in self.metrics.items() if "loss" not in name)
        return f"Run({self.folder.name}: {reached or 'nothing measured'}; {self.checkpoint or 'no checkpoint'})"


FIRST = ("model.name", "data.name", "model.hidden_size", "optimizer.lr")
"""First options in the table of HParams."""

CallbackT = TypeVar("CallbackT", bound=pl.Callback)

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
        _say(trainer, _headline(settings, data, model, folder))
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
        _say(trainer, words if step is None else f"{words} Go on with:\n  {_resume_command(settings, folder)}")
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
            _say(trainer, words)
        raise
    if 0 < begun == trainer.global_step:
        more = f"give it more with --trainer.max_epochs {2 * max(1, trainer.current_epoch)}"
        _say(trainer, f"\nThis run had finished before, after epoch {trainer.current_epoch}; {more}.")
    done = _close(settings, data, model, trainer, folder, time.monotonic() - started)
    trained = begun != trainer.global_step or not (folder / RESULT).is_file()
    if trained and trainer.is_global_zero and not trainer.fast_dev_run:
        write_result(folder, _result(settings, done))
    return done


def _resume_command(settings: Settings, folder: Path) -> str:
    if settings.config.trainer.default_root_dir is None:
        return f"python -m seqlab.fit --ckpt_path last --run {shlex.quote(folder.name)}"
    return f"python -m seqlab.fit --ckpt_path {shlex.quote(str(folder / 'checkpoints' / 'last.ckpt'))}"


def _headline(settings: Settings, data: DataModule, model: Model, folder: Path) -> str:
    weights = ", ".join([f"{model.num_parameters():,} parameters", *model.loaded])
    return f"{settings.plan.model} ({weights}) on {data.corpus_name}: {data.describe()}; run {folder.name}"


def _close(
    settings: Settings, data: DataModule, model: Model, trainer: pl.Trainer, folder: Path, seconds: float
) -> Run:
    log, tally = _callback(trainer, TrainingLog), _callback(trainer, Tally)
    validated = {name: float(value) for name, value in trainer.callback_metrics.items() if "/" in name}
    trained = {**({} if log is None else log.latest), **({} if tally is None else tally.epoch)}
    metrics = {**validated, **trained}
    last, best = _callback(trainer, KeepLast), _callback(trainer, KeepBest)
    checkpoint = None if last is None or not last.path.is_file() else last.path
    if best is not None and best.best_model_score is not None:
        kept = Path(best.best_model_path)
        checkpoint = kept if kept.is_file() else checkpoint
        metrics |= {f"best/val_{name}": value for name, value in _best(best, model).items()}
    finished = Run(model, data, trainer, checkpoint, metrics, folder)
    _write_hparams(settings, finished)
    _say(trainer, _summary(finished, seconds))
    return _with_bar(settings, finished, seconds)


def _best(keeper: KeepBest, model: Model) -> dict[str, float]:
    """The measures of the best validation."""
    score = float(keeper.best_model_score) if keeper.best_model_score is not None else float("nan")
    reached = {**keeper.reached, str(keeper.monitor).removeprefix("val/"): score}
    follows = {name: one.of_loss for name, one in model.measures.items() if one.of_loss is not None}
    return {**reached, **{name: of_loss(reached[LOSS]) for name, of_loss in follows.items() if LOSS in reached}}


def _callback(trainer: pl.Trainer, kind: type[CallbackT]) -> CallbackT | None:
    return next((callback for callback in trainer.callbacks if isinstance(callback, kind)), None)


def _with_bar(settings: Settings, finished: Run, seconds: float) -> Run:
    """The run with the result of its task's baseline, printed after its own result."""
    trainer = finished.trainer
    if settings.config.bar == "none" or not trainer.is_global_zero or trainer.fast_dev_run:
        return finished
    best = {name: finished.metrics.get(f"best/val_{name}") for name in finished.model.measures}
    reached = {name: value for name, value in best.items() if value is not None}
    bar = bar_of(settings, finished.data, reached, seconds)
    if bar is not None:
        _say(trainer, f"\n{bar}")
    return finished if bar is None else Run(**{**vars(finished), "bar": bar})


def _result(settings: Settings, finished: Run) -> dict[str, Any]:
    model, trainer, clock = finished.model, finished.trainer, _callback(finished.trainer, Clock)
    result = {
        "run": finished.folder.name,
        "task": model.task,
        "model": settings.plan.model,
        "corpus": finished.data.corpus_name,
        "unit": model.unit,
        "parameters": model.num_parameters(),
        "steps": trainer.global_step,
        "epochs": trainer.current_epoch,
        "seconds": 0.0 if clock is None else clock.seconds,
        "checkpoint": None if finished.checkpoint is None else f"checkpoints/{finished.checkpoint.name}",
        "monitor": settings.config.monitor,
        "measures": told(model.measures),
        "metrics": finished.metrics,
    }
    return result if finished.bar is None else {**result, "bar": finished.bar.as_plain()}


def _write_hparams(settings: Settings, finished: Run) -> None:
    """Fills TensorBoard's HParams tab with the options and the results."""
    plan, trainer, metrics = settings.plan, finished.trainer, finished.metrics
    chosen = {"model.name": plan.model, "data.name": plan.data, "corpus": finished.data.corpus_name}
    groups = {key: settings.config[key].as_dict() for key in ("model", "data", "optimizer", "lr_scheduler")}
    flat = {f"{key}.{name}": value for key, group in groups.items() for name, value in group.items()}
    table = {**chosen, **flat, "seed": settings.config.seed}
    names = with_loss(finished.model.measures)
    reached = [
        name for stage in ("best/val_", "val/", "train/") for one in names if (name := f"{stage}{one}") in metrics
    ]
    for logger in trainer.loggers:
        if isinstance(logger, Board):
            logger.log_table(table, reached, FIRST)
        else:
            logger.log_hyperparams(table)
        logger.save()


def _summary(finished: Run, seconds: float) -> str:
    model, trainer, metrics = finished.model, finished.trainer, finished.metrics
    shown = {f"train/{name}": f"train {one.title} {one.form}" for name, one in model.measures.items()}
    shown |= {f"best/val_{name}": f"best validation {one.title} {one.form}" for name, one in model.measures.items()}
    shown |= {"train/tokens_per_second": "{:,.0f} tokens/s", "train/items_per_second": "{:,.0f} items/s"}
    reached = [form.format(metrics[name]) for name, form in shown.items() if name in metrics]
    if not reached and "train/loss" in metrics:
        reached = [f"train loss {metrics['train/loss']:.4f}"]
    reached = reached or ["nothing was trained"]
    lines = ["", f"Done in {seconds:.0f} s, {trainer.global_step:,} steps: {', '.join(reached)}."]
    divergence = _callback(trainer, Divergence)
    if divergence is not None and divergence.skipped:
        words = f"Updates skipped for NaN or infinite numbers: {divergence.skipped:,}; train/skipped shows when."
        lines.append(words)
    lines += model.remarks(metrics)
    sample = model.sample(finished.data)
    lines += ["", *([sample, ""] if sample else [])]
    if finished.checkpoint is not None:
        checkpoint = shlex.quote(str(_relative(finished.checkpoint)))
        lines += ["Next:", f"  tensorboard --logdir {shlex.quote(str(finished.folder.parent))}"]
        command = model.command(finished.data, checkpoint)
        lines += [f"  {command}"] if command else []
    return "\n".join(lines)


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _say(trainer: pl.Trainer, words: str) -> None:
    if trainer.is_global_zero:
        print(words, flush=True)


def _run(argv: list[str]) -> None:
    run(argv)


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_verb(_run, argv, lasting=True)


if __name__ == "__main__":
    sys.exit(main())
