"""The Trainer of a run, with its callbacks and loggers."""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback, EarlyStopping
from lightning.pytorch.plugins.environments import ClusterEnvironment, SLURMEnvironment, TorchElasticEnvironment
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from seqlab.callbacks.board import Board
from seqlab.callbacks.clock import Clock
from seqlab.callbacks.divergence import Divergence
from seqlab.callbacks.freed_memory import FreedMemory
from seqlab.callbacks.gradient_norms import GradientNorms
from seqlab.callbacks.interruption import Interruption
from seqlab.callbacks.keeping import KeepBest, KeepLast, Often, RunRecord, WholeFiles
from seqlab.callbacks.progress import progress
from seqlab.callbacks.random_state import RandomState
from seqlab.callbacks.saying import Saying
from seqlab.callbacks.step_time import StepTime
from seqlab.callbacks.tally import Tally
from seqlab.callbacks.training_log import TrainingLog
from seqlab.callbacks.updates import Updates
from seqlab.cli.arguments import PLATEAU
from seqlab.cli.build import batches_used
from seqlab.cli.loggers import fill
from seqlab.cli.settings import Settings
from seqlab.cli.states import check_states
from seqlab.data.data_module import DataModule
from seqlab.errors import UserError, nearest
from seqlab.metrics import LOSS
from seqlab.models.model import Model
from seqlab.runs.devices import choose_accelerator
from seqlab.runs.folders import is_within

STRATEGIES = ("auto", "ddp", "single_device")


class Monitor(NamedTuple):
    """The value that selects the best validation: its log name, and whether ``min`` or ``max`` is best."""

    name: str
    mode: str


def monitor_of(name: str, model: Model) -> Monitor:
    """The monitor of ``--monitor``, written with a slash or an underscore.

    Raises:
        UserError: The model has no such measure.
    """
    known = {f"val/{LOSS}": "min"}
    known |= {f"val/{key}": "min" if one.better == "lower" else "max" for key, one in model.measures.items()}
    wanted = name.replace("val_", "val/", 1) if name.startswith("val_") else name
    if wanted not in known:
        raise UserError(f"--monitor '{name}' is none of what validation measures: {nearest(wanted, known)}")
    return Monitor(wanted, known[wanted])


def make_trainer(
    settings: Settings, data: DataModule, model: Model, folder: Path, objects: Mapping[str, Any]
) -> Trainer:
    """The Trainer.

    Args:
        settings: Settings of the run.
        data: The training data.
        model: The model.
        folder: Folder of the run.
        objects: Python objects: ``callbacks``, a ``logger`` and other arguments that a command line cannot give.

    Raises:
        UserError: An option is wrong, or the trainer refuses it.
    """
    config = _instantiated(settings, folder)
    _check_numbers(config, settings, data)
    if isinstance(config["strategy"], str):
        _check_strategy(config["strategy"])
    _check_precision(config["precision"])
    own = {key: value for key, value in objects.items() if key not in ("optimizer", "callbacks")}
    config |= own
    if config["logger"] in (None, True):
        config["logger"] = _board(settings, folder)
    config["accelerator"] = choose_accelerator(config["accelerator"])
    given = [*_listed(config["callbacks"]), *_listed(objects.get("callbacks"))]
    config["callbacks"] = [*_callbacks(settings, config, data, model, folder), *given]
    try:
        started = cluster()
        config["plugins"] = [WholeFiles(), *([started] if started else []), *_listed(config["plugins"])]
        trainer = Trainer(**config)
        if started is not None:
            started.validate_settings(trainer.num_devices, trainer.num_nodes)
    except (MisconfigurationException, RuntimeError, ValueError, TypeError, ImportError) as error:
        raise UserError(f"the trainer refuses its options: {error}") from None
    resumed = settings.plan.resumed
    if resumed is not None:
        check_states(resumed.content, trainer, model, data, resumed.path)
    if trainer.strategy.launcher is not None and trainer.strategy.launcher.is_interactive_compatible:
        raise UserError("a notebook trains on one device; leave out devices, or start python -m seqlab.fit")
    return trainer


def _board(settings: Settings, folder: Path) -> Board:
    resumed = settings.plan.resumed
    if resumed is None:
        return Board(folder)
    return Board(folder, resumed.log if is_within(resumed.path, folder) else None, resumed.step + 1)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _instantiated(settings: Settings, folder: Path) -> dict[str, Any]:
    """The options of the trainer, with objects made from class names."""
    config = deepcopy(settings.config)
    fill(config.trainer.logger, folder)
    ready = settings.parser.instantiate(config)
    made: dict[str, Any] = dict(vars(ready.trainer))
    return made


def _check_numbers(config: dict[str, Any], settings: Settings, data: DataModule) -> None:
    """Refuses numbers that would make the trainer fail during training."""
    if not (config["gradient_clip_val"] or 0) >= 0:
        raise UserError(f"gradient_clip_val {config['gradient_clip_val']} must be above 0, or null to clip nothing")
    for name in ("accumulate_grad_batches", "log_every_n_steps", "check_val_every_n_epoch"):
        if config[name] is not None and config[name] < 1:
            raise UserError(f"--trainer.{name} {config[name]} must be a whole number of at least 1")
    every, within = config["val_check_interval"], config["check_val_every_n_epoch"] is not None
    if isinstance(every, int) and within and every > (used := batches_used(settings, data)):
        raise UserError(
            f"--trainer.val_check_interval {every} must be at most the {used} batches of an epoch; "
            "give --trainer.check_val_every_n_epoch null to count on through epochs"
        )


def _callbacks(
    settings: Settings, trainer: dict[str, Any], data: DataModule, model: Model, folder: Path
) -> list[Callback]:
    config, checkpoints, norms = settings.config, folder / "checkpoints", GradientNorms()
    watch = Divergence(norms, config.on_nan == "skip")
    log, tally = TrainingLog(norms, watch), Tally()
    monitor = monitor_of(config.monitor, model)
    validates = bool(data.val_dataloader()) and trainer["limit_val_batches"] != 0
    if not validates and settings.plan.lr_scheduler == PLATEAU:
        raise UserError(f"{PLATEAU} waits for a lower val/loss, but nothing validates; give --data.val_fraction")
    record = RunRecord(folder, settings.as_yaml())
    interruption = Interruption(checkpoints / "last.ckpt")
    callbacks: list[Callback] = [Clock(), norms, watch, log, tally, interruption, record, RandomState(), FreedMemory()]
    if config.watch != "none":
        callbacks += [Updates(), StepTime(), *model.views(data, folder, config.watch == "full")]
    callbacks += [Saying()] if config.samples else []
    if validates and config.patience is not None:
        callbacks.append(
            EarlyStopping(monitor.name, patience=config.patience, mode=monitor.mode, check_on_train_epoch_end=False)
        )
    if trainer["enable_progress_bar"] is not False:
        callbacks.append(progress(tally))
    if trainer["enable_checkpointing"] is False and config.ckpt_every:
        raise UserError("--ckpt_every means nothing with --trainer.enable_checkpointing false; leave one of them out")
    if trainer["enable_checkpointing"] is not False:
        callbacks += [KeepBest(checkpoints, *monitor)] if validates else []
        often = Often.read(config.ckpt_every) if config.ckpt_every else Often()
        callbacks.append(KeepLast(checkpoints, trainer["check_val_every_n_epoch"] or 1, often))
    return callbacks


def cluster() -> ClusterEnvironment | None:
    """The cluster environment that started the processes of this run; None if the first process started the others."""
    if TorchElasticEnvironment.detect():  # also inside a SLURM job
        return TorchElasticEnvironment()
    return SLURMEnvironment(auto_requeue=False) if SLURMEnvironment.detect() else None


def _check_precision(name: str | int | None) -> None:
    """Refuses weights of less than 32 bits, which would make sums over many tokens imprecise."""
    if name in ("16-true", "bf16-true", "transformer-engine", "transformer-engine-float16"):
        raise UserError(f"--trainer.precision does not take '{name}', only what keeps weights whole; give bf16-mixed")


def _check_strategy(name: str) -> None:
    """Refuses strategies that fork, spawn or shard weights, since they do not write whole checkpoints."""
    if name not in STRATEGIES and not name.startswith("ddp_find_unused_parameters_"):
        raise UserError(
            f"--trainer.strategy does not take '{name}', only what starts its processes as commands and keeps weights "
            f"whole; choose one of {', '.join(STRATEGIES)}"
        )
