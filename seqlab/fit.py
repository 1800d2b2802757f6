"""``python -m seqlab.fit``: train a model, watch it, keep it."""

import logging
import shlex
import sys
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import ModelCheckpoint

from seqlab.callbacks.divergence import Divergence
from seqlab.callbacks.interruption import Interrupted
from seqlab.callbacks.keeping import KeepLast
from seqlab.cli.build import SeqlabCLI
from seqlab.cli.parser import arguments_of, run_verb
from seqlab.data.data_module import DataModule
from seqlab.errors import UserError, reason_of
from seqlab.metrics import perplexity
from seqlab.models.model import STEP, SequenceModel
from seqlab.models.translation import Seq2Seq
from seqlab.runs.allocator import keep_freed_memory
from seqlab.runs.checkpoint import read_checkpoint
from seqlab.runs.folders import RESULT, write_json
from seqlab.runs.provenance import arithmetic
from seqlab.runs.ranks import one_fate


@dataclass(frozen=True)
class Run:
    """What a training run left behind.

    Args:
        model: With the weights of the last step.
        data: What it was trained on.
        trainer: That trained it.
        checkpoint: The best by val/loss; the last where nothing validated, none if nothing was kept.
        metrics: Last values logged, by name.
    """

    model: SequenceModel
    data: DataModule
    trainer: pl.Trainer
    checkpoint: Path | None
    metrics: dict[str, float]


def fit(**options: Any) -> Run:
    """Trains a model, with the options of ``python -m seqlab.fit``.

    Groups of options are dictionaries: ``fit(model="gru", trainer={"max_epochs": 3})``; a group that chooses a
    name and sets options holds both: ``fit(model={"name": "lstm", "hidden_size": 512})``.

    Raises:
        UserError: An option is wrong.
    """
    return _fit(arguments_of(options))


def _fit(arguments: list[str]) -> Run:
    logging.getLogger("lightning.pytorch.utilities.rank_zero").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")
    keep_freed_memory()
    while not (cli := SeqlabCLI(arguments)).claim():
        pass
    trainer, started = cli.trainer, time.monotonic()
    begun = 0 if cli.plan.resumed is None else cli.plan.resumed.step
    _say(trainer, _headline(cli))
    try:
        with one_fate(cli.run):
            trainer.fit(cli.model, cli.datamodule, ckpt_path=cli.plan.checkpoint, weights_only=True)
    except UserError:
        raise
    except Exception:
        if (kept := cli.folder / "checkpoints" / "last.ckpt").is_file():
            step = read_checkpoint(kept)["global_step"]
            _say(trainer, f"\nTraining failed. {kept} holds step {step}; go on with:\n  {_resume_command(cli)}")
        raise
    except Interrupted as stop:
        kept = cli.folder / "checkpoints" / "last.ckpt"
        step = read_checkpoint(kept)["global_step"] if kept.is_file() else None
        held = "" if step == trainer.global_step else f" {kept} holds {'nothing' if step is None else f'step {step}'}."
        words = f"\nStopped by {stop.signal} after step {trainer.global_step}.{held}"
        _say(trainer, words if step is None else f"{words} Go on with:\n  {_resume_command(cli)}")
        raise
    finally:
        with suppress(OSError):  # of a run that failed before it wrote anything
            cli.folder.rmdir()
    if 0 < begun == trainer.global_step:
        more = f"give it more with --trainer.max_epochs {2 * max(1, trainer.current_epoch)}"
        _say(trainer, f"\nThis run had finished before, after epoch {trainer.current_epoch}; {more}.")
    run = _close(cli, time.monotonic() - started)
    trained = begun != trainer.global_step or not (cli.folder / RESULT).is_file()
    if trained and trainer.is_global_zero and not trainer.fast_dev_run:
        _write_result(cli, run)
    return run


def _resume_command(cli: SeqlabCLI) -> str:
    if cli.config.trainer.default_root_dir is None:
        return f"python -m seqlab.fit --ckpt_path last --run {shlex.quote(cli.run)}"
    return f"python -m seqlab.fit --ckpt_path {shlex.quote(str(cli.folder / 'checkpoints' / 'last.ckpt'))}"


def _headline(cli: SeqlabCLI) -> str:
    parameters = sum(weights.numel() for weights in cli.model.parameters())
    data = cli.datamodule
    weights = ", ".join([f"{parameters:,} parameters", *cli.model.loaded])
    return f"{cli.plan.model} ({weights}) on {data.corpus_name}: {data.describe()}; run {cli.run}"


def _close(cli: SeqlabCLI, seconds: float) -> Run:
    trainer = cli.trainer
    log = next(callback for callback in trainer.callbacks if hasattr(callback, "latest"))
    validated = {name: float(value) for name, value in trainer.callback_metrics.items() if name != STEP}
    metrics = {**log.latest, **validated}
    checkpoint = None
    for keeper in trainer.checkpoint_callbacks:
        if isinstance(keeper, KeepLast) and keeper.path.is_file():
            checkpoint = checkpoint or keeper.path
        elif isinstance(keeper, ModelCheckpoint) and keeper.best_model_score is not None:
            best = Path(keeper.best_model_path)
            checkpoint = best if best.is_file() else checkpoint
            metrics["best/val_loss"] = float(keeper.best_model_score)
            metrics["best/val_perplexity"] = perplexity(metrics["best/val_loss"])
    _write_hparams(cli, metrics)
    result = Run(cli.model, cli.datamodule, trainer, checkpoint, metrics)
    _say(trainer, _summary(cli, result, seconds))
    return result


def _write_result(cli: SeqlabCLI, run: Run) -> None:
    """Leaves what was reached in the run's folder, for other programs to read.

    ``seconds`` are those of training and validation; of a resumed run, those up to the checkpoint that it went on from
    too.
    """
    result = {
        "run": cli.run,
        "model": cli.plan.model,
        "corpus": run.data.corpus_name,
        "parameters": sum(weights.numel() for weights in run.model.parameters()),
        "steps": run.trainer.global_step,
        "epochs": run.trainer.current_epoch,
        "seconds": cli.clock.seconds,
        "checkpoint": None if run.checkpoint is None else f"checkpoints/{run.checkpoint.name}",
        "metrics": run.metrics,
        "arithmetic": arithmetic(),
    }
    try:
        write_json(cli.folder / RESULT, result)
    except OSError as error:
        print(f"seqlab: cannot write {cli.folder / RESULT}: {reason_of(error)}", file=sys.stderr)


def _write_hparams(cli: SeqlabCLI, metrics: dict[str, float]) -> None:
    """Fills TensorBoard's HParams tab with what was chosen and what was reached."""
    plan = cli.plan
    chosen = {"model.name": plan.model, "data.name": plan.data, "corpus": cli.datamodule.corpus_name}
    groups = {key: cli.config[key].as_dict() for key in ("model", "data", "optimizer", "lr_scheduler")}
    flat = {f"{key}.{name}": value for key, group in groups.items() for name, value in group.items()}
    reached = {f"final/{name.replace('/', '_')}": value for name, value in metrics.items() if "/val" not in name}
    reached |= {name: value for name, value in metrics.items() if name.startswith("best/")}
    for logger in cli.trainer.loggers:
        logger.log_hyperparams({**flat, **chosen, "seed": cli.config.seed}, reached)
        logger.save()


def _speak(model: SequenceModel, prompt: str | None, checkpoint: str) -> str:
    """The command that lets the model say something."""
    if isinstance(model, Seq2Seq):
        return f"python -m seqlab.translate {checkpoint} 'i am home .'"
    return f"python -m seqlab.generate {checkpoint}" + (f" --prefix {shlex.quote(prompt)}" if prompt else "")


def _summary(cli: SeqlabCLI, run: Run, seconds: float) -> str:
    shown = {
        "train/perplexity": "train perplexity {:.3f}",
        "best/val_perplexity": "best validation perplexity {:.3f}",
        "train/tokens_per_second": "{:,.0f} tokens/s",
    }
    reached = [form.format(run.metrics[name]) for name, form in shown.items() if name in run.metrics]
    lines = ["", f"Done in {seconds:.0f} s, {cli.trainer.global_step:,} steps: {', '.join(reached)}."]
    skipped = next(callback.skipped for callback in cli.trainer.callbacks if isinstance(callback, Divergence))
    if skipped:
        lines.append(f"Updates left out because no number came out: {skipped:,}; train/skipped shows when.")
    lines += ["", run.model.sample(cli.datamodule), ""]
    if run.checkpoint is not None:
        lines += ["Next:", f"  tensorboard --logdir {shlex.quote(str(cli.folder.parent))}"]
        lines += [f"  {_speak(run.model, cli.datamodule.prompt, shlex.quote(str(_relative(run.checkpoint))))}"]
    return "\n".join(lines)


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _say(trainer: pl.Trainer, words: str) -> None:
    if trainer.is_global_zero:
        print(words, flush=True)


def _run(argv: list[str]) -> None:
    _fit(argv)


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_verb(_run, argv)


if __name__ == "__main__":
    sys.exit(main())
