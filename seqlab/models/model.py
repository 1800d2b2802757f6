"""Base of every task's LightningModule: loss sums and means, measures, optimizer, checkpoint."""

import json
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar, cast

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torchmetrics import Metric

from seqlab.callbacks.gradient_norms import total_norm
from seqlab.callbacks.training_log import TrainingLog
from seqlab.data.data_module import DataModule
from seqlab.data.parts import Split
from seqlab.errors import UserError
from seqlab.metrics import LOSS, MeanLoss, Measure, Report
from seqlab.models.optimization import (
    OPTIMIZERS,
    SCHEDULERS,
    OptimizerCallable,
    SchedulerCallable,
    by_name,
    coalesced,
    in_groups,
    in_one_pass,
    in_order,
    of_plain,
    of_sparse,
    plainly,
    rates_of,
)
from seqlab.models.window import Sums, Window
from seqlab.options import Options
from seqlab.runs.checkpoint import FORMAT
from seqlab.runs.exporting import as_safetensors
from seqlab.runs.schema import check_finite
from seqlab.text.any_codec import AnyCodec

STEP = "step"
"""Key that gives Lightning the step of a validation's log entry; by default Lightning takes the step before."""

Codecs = Mapping[str, AnyCodec]
CodecT = TypeVar("CodecT", bound=AnyCodec)


class Model(pl.LightningModule):
    """A network with its codecs, and the methods that a Trainer and the verbs call.

    A task is a subclass with the loss of a batch (``loss``, as a sum and a count), its measures (``measures``,
    ``score``, ``evaluate``) and predictions for raw input (``predict``). This class divides, averages over processes
    and accumulated batches, and logs. ``TrainingLog`` sums the loss of a step, since ``self.log`` costs 0.3 ms a call.

    Args:
        options: Options of the network; ``options.build`` makes it from the sizes of the codecs.
        codecs: Codecs by name, in the order in which the network takes their sizes.
        optimizer: Parameters -> optimizer; the default of the options if not given.
        lr_scheduler: Optimizer -> learning-rate schedule; None for a constant rate.
        lr_interval: Whether the schedule steps after every ``epoch`` or every optimizer ``step``; ReduceLROnPlateau
            steps after every validation.
        name: Name of the model for ``--model``; found by the options if not given.

    ``task`` is the name in ``TASKS``, ``says`` the noun in a sentence ("language model"), ``unit`` the noun for its
    items and ``loss_unit`` the unit of its loss. ``formats`` are ways to write predictions as lines, by name, in
    addition to those of every model; ``predicts`` is the default. ``counted`` are prefixes of the names of weights that
    are tables, whose sizes depend on the data.

    Attributes:
        network: The network of ``options.build``.
        lr: Learning rate; a number set here before training replaces the optimizer's.
        loaded: Phrases that name the weights read from files.
        run: Name of the run that trained it.
    """

    task: ClassVar[str]
    says: ClassVar[str]
    unit: ClassVar[str] = "items"
    loss_unit: ClassVar[str] = "nats per item"
    measures: Mapping[str, Measure] = {}
    formats: ClassVar[Mapping[str, Callable[[Iterable[Any]], Iterator[str]]]] = {}
    predicts: ClassVar[str] = "text"
    counted: ClassVar[tuple[str, ...]] = ()
    network: Any

    def __init__(
        self,
        options: Options,
        codecs: Codecs,
        optimizer: OptimizerCallable | None = None,
        lr_scheduler: SchedulerCallable | None = None,
        lr_interval: Literal["epoch", "step"] = "epoch",
        name: str = "",
    ) -> None:
        super().__init__()
        self.options, self.codecs, self.name = options, dict(codecs), name
        optimizer = optimizer or of_plain(options.trained_by["optimizer"], OPTIMIZERS)
        assert optimizer is not None
        self.optimizer, self.lr_scheduler, self.lr_interval = optimizer, lr_scheduler, lr_interval
        kept = plainly(optimizer, OPTIMIZERS) or {}
        self.lr: float | None = kept.get("lr")
        self.save_hyperparameters(
            {
                "model": name,
                "options": options.plain(),
                "optimizer": kept,
                "lr_scheduler": plainly(lr_scheduler, SCHEDULERS),
                "lr_interval": lr_interval,
            }
        )
        self.loaded: list[str] = []
        self.run = "this model"
        self.network = self.build()
        self.metrics = nn.ModuleDict({LOSS: MeanLoss(), **dict(self._metrics())})
        self.window = Window()

    @classmethod
    def network_of(cls, options: Any, codecs: Codecs) -> nn.Module:
        """A network with initialized weights, without files or counts.

        Args:
            options: Options of the network.
            codecs: Codecs of its ids.
        """
        made: nn.Module = options.build(*(codec.vocab_size for codec in codecs.values()))
        return made

    def codec_named(self, name: str, kind: type[CodecT]) -> CodecT:
        """The codec of a name, checked for its class."""
        codec = self.codecs[name]
        assert isinstance(codec, kind)
        return codec

    def build(self) -> nn.Module:
        """The initial network of training."""
        return self.network_of(self.options, self.codecs)

    def _metrics(self) -> Iterator[tuple[str, Metric]]:
        for name, measure in self.measures.items():
            if measure.metric is not None:
                yield name, measure.metric(self)

    @abstractmethod
    def loss(self, batch: Any, stage: str) -> Sums:
        """The loss of a batch, as a sum and a count.

        Args:
            batch: Batch of the data.
            stage: ``train``, ``val`` or ``test``.
        """

    def penalty(self) -> Tensor | None:
        """Penalty added once to the loss of an optimizer step, for any number of batches; None for no penalty."""
        return None

    def score(self, batch: Any, metrics: Any, stage: str) -> None:
        """Updates the metrics with a batch; by default, all of them with the sums of the loss.

        Args:
            batch: Batch of the data.
            metrics: Metrics of the loss, and of each measure that has one, by name.
            stage: ``val`` or ``test``.
        """
        total, items, _ = self.loss(batch, stage)
        for metric in metrics.values():
            metric.update(total, items)

    def scores(self, data: DataModule, stage: str) -> dict[str, float]:
        """Measures of a whole part without a metric; only the first process computes them."""
        return {}

    def count(self, data: DataModule) -> None:
        """Counts the training part, for a model that is not trained by gradients."""
        raise UserError(f"{self.name} is trained by gradients; there is nothing to count")

    def check_data(self, data: DataModule) -> None:
        """Checks before a run that the model can learn from these data.

        Raises:
            UserError: The model cannot learn from them.
        """

    def counts_beside(self) -> bool:
        """Whether a model trained by gradients is combined with counts of the same data."""
        return bool(getattr(self.options, "counts", 0.0))

    def setup(self, stage: str) -> None:
        data = getattr(self.trainer, "datamodule", None)
        if isinstance(data, DataModule):
            data.adopt(self.codecs)

    def on_fit_start(self) -> None:
        anew = self.trainer.ckpt_path is None
        if not self.options.by_gradients or (anew and self.counts_beside()):
            self.count(self.trainer.datamodule)

    def on_train_epoch_end(self) -> None:
        if not self.options.by_gradients:
            self.trainer.should_stop = True

    @abstractmethod
    def evaluate(self, data: DataModule, split: Split) -> Report:
        """Measures the model on one part of a corpus, with every item counted once."""

    @abstractmethod
    def predict(self, inputs: Iterable[str]) -> Iterator[Any]:
        """Predictions for raw inputs, one for each, in order."""

    def sample(self, data: DataModule) -> str:
        """A short sample of the model's current output for people to read; empty if there is none."""
        return ""

    def remarks(self, measured: Mapping[str, float]) -> list[str]:
        """Notes for the user on the results of a run, by name."""
        return []

    def views(self, data: DataModule, folder: Path, pictures: bool) -> list[pl.Callback]:
        """The callbacks that show more than losses in TensorBoard.

        Args:
            data: The training data.
            folder: Folder of the run.
            pictures: Whether to draw after each validation too, not only when training ends.
        """
        return []

    def command(self, data: DataModule, checkpoint: str) -> str:
        """A command to try next with a checkpoint, quoted for a shell; empty if the model has no verb."""
        return next((f"python -m seqlab.{verb} {checkpoint}" for verb in self.can()), "")

    def num_parameters(self) -> int:
        """Number of weights that are trained or counted, without frozen ones."""
        counted = not self.options.by_gradients
        return sum(one.numel() for one in self.parameters() if counted or one.requires_grad)

    def flops_per_item(self) -> int:
        """Floating-point operations of training per item; 0 if unknown."""
        return 0

    def forget(self) -> None:
        """Drops the state that is carried from batch to batch."""

    def can(self) -> list[str]:
        """The verbs of this model."""
        return [verb for verb in VERBS if hasattr(self, verb)]

    def configure_callbacks(self) -> list[pl.Callback]:
        """Adds the callback that logs ``train/loss``, for any Trainer."""
        there = any(isinstance(callback, TrainingLog) for callback in self.trainer.callbacks)
        return [] if there else [TrainingLog()]

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Any]:
        total, items, shown = self.loss(batch, "train")
        loss = self.window.loss(total, items, self.penalty(), self._trainer, batch_idx)
        return {"loss": loss, "total": (total if shown is None else shown).detach(), "count": items}

    def on_after_backward(self) -> None:
        for parameter in self.parameters() if self.sparse else ():
            if parameter.grad is not None and parameter.grad.is_sparse:
                parameter.grad = coalesced(parameter.grad)
        self.window.correct(self.parameters())

    @cached_property
    def sparse(self) -> bool:
        """Whether embeddings of the network have sparse gradients."""
        return any(isinstance(one, nn.Embedding) and one.sparse for one in self.network.modules())

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Gradient clipping as in Lightning, and by norm also for sparse gradients, which torch does not support."""
        if not self.sparse:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
            return
        if gradient_clip_algorithm == "value":
            raise UserError("--trainer.gradient_clip_algorithm value is not for sparse gradients; leave it out")
        gradients = [parameter.grad for parameter in self.parameters() if parameter.grad is not None]
        if gradient_clip_val and (norm := float(total_norm(gradients))) > gradient_clip_val:
            torch._foreach_mul_(gradients, gradient_clip_val / norm)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.score(batch, self.metrics, "val")

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self.score(batch, self.metrics, "test")

    def predict_step(self, batch: Any, batch_idx: int) -> list[Any]:
        """The predictions of ``predict`` for a batch of raw inputs."""
        return list(self.predict(batch))

    def on_validation_epoch_start(self) -> None:
        self._reset()

    def on_test_epoch_start(self) -> None:
        self._reset()

    def _reset(self) -> None:
        for metric in self.metrics.values():
            cast(Metric, metric).reset()

    def on_validation_epoch_end(self) -> None:
        values = self._log_scores("val")
        if self.trainer.state.fn != "fit" or self.trainer.sanity_checking:
            return
        self.log(STEP, float(self.trainer.global_step))
        schedule = self.lr_schedulers()
        if isinstance(schedule, ReduceLROnPlateau):
            schedule.step(values[LOSS])

    def on_test_epoch_end(self) -> None:
        self._log_scores("test")

    def _log_scores(self, stage: str) -> dict[str, float]:
        values = {name: float(cast(Metric, metric).compute()) for name, metric in self.metrics.items()}
        follows = {name: measure.of_loss for name, measure in self.measures.items() if measure.of_loss is not None}
        values |= {name: of_loss(values[LOSS]) for name, of_loss in follows.items()}
        if not self.trainer.sanity_checking:
            data = getattr(self.trainer, "datamodule", None)
            own = self.scores(data, stage) if data is not None and self.trainer.is_global_zero else {}
            values |= self.trainer.strategy.broadcast(own)
        self.log_dict({f"{stage}/{name}": torch.tensor(value, dtype=torch.float64) for name, value in values.items()})
        for name, value in values.items():
            self.log(f"{stage}_{name}", value, logger=False)
        return values

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Steps a schedule; a schedule of val/loss has already stepped at validation, before the checkpoint."""
        if not isinstance(scheduler, ReduceLROnPlateau):
            with rates_of(scheduler):
                super().lr_scheduler_step(scheduler, metric)

    def configure_optimizers(self) -> Any:
        groups = in_groups(self.named_parameters(), self.options.decays_matrices_alone)
        made = self.optimizer(groups)
        optimizer = of_sparse(made) if self.sparse else in_one_pass(made)
        if self.lr is not None:
            for group in optimizer.param_groups:
                group["lr"] = self.lr
        if self.lr_scheduler is None:
            return optimizer
        with rates_of(self.lr_scheduler):
            scheduler = self.lr_scheduler(optimizer)
        schedule = {"scheduler": scheduler, "interval": self.lr_interval, "reduce_on_plateau": False}
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def codec_states(self) -> dict[str, dict[str, object]]:
        """The codecs as plain values, by name."""
        return {name: codec.state() for name, codec in self.codecs.items()}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        data = getattr(self._trainer, "datamodule", None)
        checkpoint["seqlab"] = {
            "format": FORMAT,
            "task": self.task,
            "model": self.name,
            "codecs": self.codec_states(),
            "parameters": in_order(self.named_parameters(), self.options.decays_matrices_alone),
            "data": data.recipe() if isinstance(data, DataModule) else None,
            "corpus": data.corpus_name if isinstance(data, DataModule) else None,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        kept = checkpoint["seqlab"].get("parameters")
        names = in_order(self.named_parameters(), self.options.decays_matrices_alone)
        if kept is not None:
            by_name(checkpoint.get("optimizer_states", []), kept, names)

    @classmethod
    def from_checkpoint(cls, checkpoint: Mapping[str, Any], options: Options, codecs: Codecs, name: str) -> Self:
        """The model of a checkpoint in evaluation mode.

        Args:
            checkpoint: The loaded checkpoint.
            options: Options of its network.
            codecs: Codecs of its ids.
            name: Name of the model for ``--model``.
        """
        kept = checkpoint["hyper_parameters"]
        made = cls(
            options,
            codecs,
            of_plain(kept.get("optimizer"), OPTIMIZERS),
            of_plain(kept.get("lr_scheduler"), SCHEDULERS),
            kept.get("lr_interval", "epoch"),
            name,
        )
        made.load_state_dict(checkpoint["state_dict"])
        return made.eval()

    def export(self, *, format: Literal["safetensors"] = "safetensors") -> bytes:
        """The weights for other programs.

        Args:
            format: safetensors.

        Returns:
            The content of a file, whose metadata hold ``task`` and ``model``, and as JSON ``options`` and ``codecs``.
        """
        self.check_finite()
        return as_safetensors(self.state_dict(), self.export_metadata())

    def check_finite(self) -> None:
        """Checks before use that the weights are finite numbers.

        Raises:
            UserError: A weight is NaN or infinite.
        """
        check_finite(self.state_dict(), self.run)

    def export_metadata(self) -> dict[str, str]:
        """Metadata of an exported file."""
        plain = {"options": self.options.plain(), "codecs": self.codec_states()}
        return {"task": self.task, "model": self.name, **{key: json.dumps(value) for key, value in plain.items()}}


VERBS = ("evaluate", "predict", "generate", "translate", "inspect", "export")
"""Verbs that call the model's method of the same name."""
