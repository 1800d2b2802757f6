"""From the command line or a configuration file to a model, its data and a trainer, through LightningCLI."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.plugins.environments import ClusterEnvironment, SLURMEnvironment, TorchElasticEnvironment
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from seqlab.callbacks.clock import Clock
from seqlab.callbacks.divergence import Divergence
from seqlab.callbacks.gradient_norms import GradientNorms
from seqlab.callbacks.interruption import Interruption
from seqlab.callbacks.keeping import KeepLast, Often, RunRecord, WholeFiles, keep_best
from seqlab.callbacks.progress import progress
from seqlab.callbacks.random_state import RandomState
from seqlab.callbacks.step_time import StepTime
from seqlab.callbacks.training_log import TrainingLog
from seqlab.callbacks.updates import Updates
from seqlab.cli.arguments import DESCRIPTION, PLATEAU, USAGE, TrainingParser, add_chosen_options, add_run_options
from seqlab.cli.parser import Parser
from seqlab.cli.plan import CHOICES, OPTIMIZERS, SCHEDULERS, plan
from seqlab.data import DATA
from seqlab.data.data_module import DataModule
from seqlab.data.loader import Shard, used_of
from seqlab.errors import UserError
from seqlab.models import MODELS
from seqlab.models.language import LanguageModel
from seqlab.models.schedules import WarmupCosineLR
from seqlab.models.translation import Seq2Seq
from seqlab.runs.checkpoint import check_resumable
from seqlab.runs.devices import choose_accelerator
from seqlab.runs.folders import check_name, free_name, run_name, runs_folder
from seqlab.runs.ranks import shared_run
from seqlab.runs.resuming import READ_ONCE, Resumed, changes
from seqlab.views.gates import RecurrenceWatch
from seqlab.views.projector import EmbeddingView
from seqlab.views.samples import TextSamples
from seqlab.views.translations import TranslationView

STRATEGIES = ("auto", "ddp", "single_device")
LOOK_EVERY = 200
"""Optimizer steps from one look at the recurrence, or sample, to the next, so that they cost little."""


class SeqlabCLI(LightningCLI):
    """Builds ``model``, ``datamodule`` and ``trainer`` from a command line; ``run`` and ``folder`` say where it logs.

    Args:
        argv: Arguments after the program's name.

    Raises:
        UserError: An argument, a configuration file or a corpus is wrong.
    """

    parser_kind: type[TrainingParser] = TrainingParser

    def __init__(self, argv: list[str]) -> None:
        self.plan = plan(argv)
        self.total_steps: int | None = None
        self._new = False
        super().__init__(
            parser_class=self.parser_kind,
            parser_kwargs={"prog": "python -m seqlab.fit", "description": DESCRIPTION, "usage": USAGE},
            save_config_callback=None,
            args=self.plan.arguments,
            run=False,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
        )

    def add_default_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        add_run_options(parser)

    def add_core_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        add_chosen_options(parser, self.plan)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        assert isinstance(parser, Parser)
        self.config = parser.parse_sentence(args)

    def _set_seed(self) -> None:
        if not 0 <= self.config.seed < 2**32:
            raise UserError(f"seed {self.config.seed} must be at least 0 and below 2**32")
        seed_everything(self.config.seed, workers=True, verbose=False)

    def instantiate_classes(self) -> None:
        chosen = {key: self.config[key].as_dict() for key in CHOICES}
        for arguments in chosen.values():
            arguments.pop("name")
        if self.plan.checkpoint is not None:
            chosen["model"] = {key: value for key, value in chosen["model"].items() if key not in READ_ONCE}
        interval = chosen["lr_scheduler"].pop("interval", "epoch")
        read: Callable[..., DataModule] = DATA[self.plan.data]
        self.datamodule = read(**chosen["data"], seed=self.config.seed)
        model = MODELS[self.plan.model]
        build: Callable[..., LightningModule] = model.kind
        self.model = build(
            **self.datamodule.model_arguments(),
            optimizer=partial(OPTIMIZERS[self.plan.optimizer], **chosen["optimizer"]),
            lr_scheduler=self._schedule(chosen["lr_scheduler"]),
            lr_interval=interval,
            **model.defaults,
            **chosen["model"],
        )
        self._try_optimizer()
        if self.plan.checkpoint is not None:
            check_resumable(self.plan.checkpoint, self.model.state_dict(), self.model.codec_state())
        if self.plan.resumed is not None:
            self._say_what_changes(self.plan.resumed)
        self.trainer = self._trainer()
        self.datamodule.train_batches(Shard(0, self.trainer.world_size))

    def _say_what_changes(self, resumed: Resumed) -> None:
        changed = [*changes(resumed, self._dump()), *self._length_changed(resumed.total_steps)]
        if changed and rank_zero_only.rank == 0:
            words = "; from here on the numbers differ from those of an uninterrupted run"
            print(f"seqlab: {', '.join(changed)}{words}", file=sys.stderr)

    def _length_changed(self, before: int | None) -> list[str]:
        """That a schedule which knows its length has another one.

        Raises:
            UserError: It is of a kind that cannot have.
        """
        if before is None or self.total_steps in (None, before):
            return []
        if SCHEDULERS[self.plan.lr_scheduler] is not WarmupCosineLR:
            raise UserError(
                f"{self.plan.lr_scheduler} was begun for {before} steps and cannot go on for {self.total_steps}; "
                "leave the options that change them as they were, or train anew"
            )
        return [f"total_steps of the schedule is {self.total_steps} and was {before}"]

    def _schedule(self, arguments: dict[str, Any]) -> Any:
        if self.plan.lr_scheduler == "none":
            return None
        if "total_steps" in arguments and arguments["total_steps"] is None:
            arguments["total_steps"] = self._planned_steps()
        self.total_steps = arguments.get("total_steps")
        return partial(SCHEDULERS[self.plan.lr_scheduler], **arguments)

    def _planned_steps(self) -> int:
        trainer = self.config.trainer
        bounds = [] if trainer.max_steps == -1 else [int(trainer.max_steps)]
        if trainer.max_epochs not in (None, -1):
            bounds.append(-(-self._batches_used() // trainer.accumulate_grad_batches) * int(trainer.max_epochs))
        if not bounds:
            raise UserError(
                f"{self.plan.lr_scheduler} must know how long training takes; give --trainer.max_epochs, "
                "--trainer.max_steps or --lr_scheduler.total_steps"
            )
        return min(bounds)

    def _batches_used(self) -> int:
        """Of an epoch."""
        return used_of(len(self.datamodule.train_dataloader()), self.config.trainer.limit_train_batches)

    def _try_optimizer(self) -> None:
        try:
            self.model.configure_optimizers()
        except (ValueError, TypeError, IndexError) as error:
            raise UserError(f"the optimizer or its schedule refuses its options: {error}; see --help_all") from None

    def _trainer(self) -> Trainer:
        config = self.config.trainer.as_dict()
        self._check_numbers(config)
        logs = runs_folder(config["default_root_dir"] or ".")
        self.run = self._run_name(logs)
        self.folder = logs / self.run
        if config["logger"] in (None, True):
            purge = 0 if self.plan.resumed is None else self.plan.resumed.step + 1
            config["logger"] = TensorBoardLogger(
                str(logs), name=self.run, version="", default_hp_metric=False, purge_step=purge
            )
        if isinstance(config["strategy"], str):
            _check_strategy(config["strategy"])
        _check_precision(config["precision"])
        config["accelerator"] = choose_accelerator(config["accelerator"])
        config["callbacks"] = [*self._callbacks(config), *(config["callbacks"] or [])]
        try:
            started = _cluster()
            config["plugins"] = [WholeFiles(), *([started] if started else []), *(config["plugins"] or [])]
            trainer = Trainer(**config)
            if started is not None:
                started.validate_settings(trainer.num_devices, trainer.num_nodes)
        except (MisconfigurationException, RuntimeError, ValueError, TypeError, ImportError) as error:
            raise UserError(f"the trainer refuses its options: {error}") from None
        if trainer.strategy.launcher is not None and trainer.strategy.launcher.is_interactive_compatible:
            raise UserError("a notebook trains on one device; leave out devices, or start python -m seqlab.fit")
        return trainer

    def _check_numbers(self, config: dict[str, Any]) -> None:
        """Refuses numbers at which the trainer fails in the middle of its work."""
        if not (config["gradient_clip_val"] or 0) >= 0:
            raise UserError(f"gradient_clip_val {config['gradient_clip_val']} must be above 0, or null to clip nothing")
        for name in ("accumulate_grad_batches", "log_every_n_steps", "check_val_every_n_epoch"):
            if config[name] is not None and config[name] < 1:
                raise UserError(f"--trainer.{name} {config[name]} must be a whole number of at least 1")
        every, within = config["val_check_interval"], config["check_val_every_n_epoch"] is not None
        if isinstance(every, int) and within and every > (used := self._batches_used()):
            raise UserError(
                f"--trainer.val_check_interval {every} must be at most the {used} batches of an epoch; "
                "give --trainer.check_val_every_n_epoch null to count on through epochs"
            )

    def _callbacks(self, config: dict[str, Any]) -> list[Any]:
        checkpoints, norms, self.clock = self.folder / "checkpoints", GradientNorms(), Clock()
        watch = Divergence(norms, self.config.on_nan == "skip")
        log = TrainingLog(norms, watch)
        validates = bool(self.datamodule.val_dataloader()) and config["limit_val_batches"] != 0
        if not validates and self.plan.lr_scheduler == PLATEAU:
            raise UserError(f"{PLATEAU} waits for a lower val/loss, but nothing validates; give --data.val_fraction")
        record = RunRecord(self.folder, self.run, self._dump())
        callbacks = [self.clock, norms, watch, log, Interruption(checkpoints / "last.ckpt"), record, RandomState()]
        if self.config.watch != "none":
            callbacks += self._watching()
        if validates and self.config.patience is not None:
            callbacks.append(EarlyStopping("val/loss", patience=self.config.patience, check_on_train_epoch_end=False))
        if config["enable_progress_bar"] is not False:
            callbacks.append(progress(log))
        if config["enable_checkpointing"] is not False:
            callbacks += [keep_best(checkpoints)] if validates else []
            often = Often.read(self.config.ckpt_every) if self.config.ckpt_every else Often()
            callbacks.append(KeepLast(checkpoints, config["check_val_every_n_epoch"] or 1, often))
        return callbacks

    def _watching(self) -> list[Any]:
        """What fills TensorBoard beside the losses."""
        pictures = self.config.watch == "full"
        watching: list[Any] = [Updates(), StepTime()]
        if isinstance(self.model, Seq2Seq):
            return [*watching, TextSamples(None), TranslationView(pictures)]
        every = 1 if pictures else LOOK_EVERY
        if self.datamodule.prompt is not None:
            watching.append(TextSamples(self.datamodule.prompt, every=every))
        if isinstance(self.model, LanguageModel):
            watching += [RecurrenceWatch(self.folder, pictures, every), EmbeddingView()]
        return watching

    def _run_name(self, logs: Path) -> str:
        """The name asked for, or the resumed run's, or a free one that says what differs from the defaults."""
        if self.config.run:
            return check_name(self.config.run)
        if self.plan.resumed is not None:
            return self.plan.resumed.run
        if (shared := shared_run()) is not None:
            return shared
        self._new = _cluster() is None
        corpus = self.datamodule.corpus_name
        words = [self.plan.label] if self.plan.label else [self.plan.model, corpus]
        if self.plan.label and corpus == "sample":
            words.append("on-sample")
        return free_name(logs, run_name(*words, *self._changes()))

    def claim(self) -> bool:
        """Makes the folder of a new run. False if another run that started meanwhile has taken its name."""
        if not self._new or self.trainer.fast_dev_run:
            return True
        try:
            self.folder.mkdir(parents=True)
        except FileExistsError:
            return False
        return True

    def _changes(self) -> list[str]:
        """``hidden_size=512`` for every option of the command line that changes what is learnt."""
        given = {argument.removeprefix("--").split("=")[0] for argument in self.plan.arguments if argument[:2] == "--"}
        given -= {"model.name", "data.name", "data.root"}
        keys = [a.dest for a in self.parser._actions if a.dest in given and not a.dest.endswith("path")]
        return [f"{key.partition('.')[2]}={self.config[key]}" for key in keys if key.partition(".")[0] in CHOICES]

    def _dump(self) -> str:
        config = self.config.clone()
        config.run = config.ckpt_path = None
        return str(self.parser.dump(config, skip_unset=False))


def _cluster() -> ClusterEnvironment | None:
    """What has started the processes of this run, where it was not the first of them."""
    if TorchElasticEnvironment.detect():  # also inside a job of SLURM
        return TorchElasticEnvironment()
    return SLURMEnvironment(auto_requeue=False) if SLURMEnvironment.detect() else None


def _check_precision(name: str | int | None) -> None:
    """Refuses weights of less than 32 bits, with which sums over many tokens would have no more either."""
    if name in ("16-true", "bf16-true", "transformer-engine", "transformer-engine-float16"):
        raise UserError(f"--trainer.precision does not take '{name}', only what keeps weights whole; give bf16-mixed")


def _check_strategy(name: str) -> None:
    """Refuses what forks, spawns or cuts weights in pieces, of which no whole checkpoint comes back."""
    if name not in STRATEGIES and not name.startswith("ddp_find_unused_parameters_"):
        raise UserError(
            f"--trainer.strategy does not take '{name}', only what starts its processes as commands and keeps weights "
            f"whole; choose one of {', '.join(STRATEGIES)}"
        )
