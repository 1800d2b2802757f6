"""The end of a run: its result, its summary, TensorBoard's HParams, and the bar beside it."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import lightning.pytorch as pl

from seqlab.callbacks.board import Board
from seqlab.callbacks.clock import Clock
from seqlab.callbacks.divergence import Divergence
from seqlab.callbacks.keeping import KeepBest, KeepLast
from seqlab.callbacks.tally import Tally
from seqlab.callbacks.training_log import TrainingLog
from seqlab.cli.bar import Bar, bar_of
from seqlab.cli.settings import Settings
from seqlab.data.data_module import DataModule
from seqlab.metrics import LOSS, with_loss
from seqlab.models.model import Model
from seqlab.runs.result import told

FIRST = ("model.name", "data.name", "model.hidden_size", "optimizer.lr")
"""First options in the table of HParams."""

CallbackT = TypeVar("CallbackT", bound=pl.Callback)


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


def close_run(
    settings: Settings, data: DataModule, model: Model, trainer: pl.Trainer, folder: Path, seconds: float
) -> Run:
    """The result of a run whose training has ended, also printed, in TensorBoard's HParams, and beside its bar.

    Args:
        settings: Settings of the run.
        data: The training data.
        model: The trained model.
        trainer: The trainer.
        folder: Folder of the run.
        seconds: Duration of the training.
    """
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
    say(trainer, _summary(finished, seconds))
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
        say(trainer, f"\n{bar}")
    return finished if bar is None else Run(**{**vars(finished), "bar": bar})


def result_of(settings: Settings, finished: Run) -> dict[str, Any]:
    """The content of ``result.json``."""
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


def say(trainer: pl.Trainer, words: str) -> None:
    """Prints words, on the first process."""
    if trainer.is_global_zero:
        print(words, flush=True)
