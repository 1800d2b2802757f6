"""What every model does under a Trainer: sums of nats and their means, an optimizer, a checkpoint."""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from seqlab.data.data_module import DataModule
from seqlab.metrics import TokenLoss
from seqlab.runs.checkpoint import FORMAT
from seqlab.text.vectors import read_vectors
from seqlab.text.vocab import Vocab

STEP = "step"
"""Name under which Lightning is told the step that a validation is logged at; by itself it takes the one before."""

OptimizerCallable = Callable[[Iterable[nn.Parameter]], Optimizer]
SchedulerCallable = Callable[[Optimizer], LRScheduler]


def _in_one_pass(optimizer: Optimizer) -> Optimizer:
    """Has torch update each weight in one pass over it, where it can and the user left the choice; on a CPU it does not
    by itself, and Adam takes four times as long."""
    for group in optimizer.param_groups:
        on_cpu = all(weight.device.type == "cpu" for weight in group["params"])
        chosen = group.get("foreach") or group.get("differentiable")
        if group.get("fused", False) is None and on_cpu and not chosen:
            group["fused"] = True
    return optimizer


class SequenceModel(pl.LightningModule):
    """A model whose loss is a cross-entropy in nats per token.

    ``kind`` is what a checkpoint says that it holds, ``reads`` the data that the model is trained on;
    ``loaded`` names the weights that were read from files, a phrase each.

    Args:
        optimizer: Parameters -> optimizer.
        lr_scheduler: Optimizer -> learning-rate schedule; none keeps the rate.
        lr_interval: Whether the schedule steps after every ``epoch`` or every optimizer ``step``; ReduceLROnPlateau
            steps after every validation.
    """

    kind: ClassVar[str]
    reads: ClassVar[type[DataModule]]
    by_gradients: ClassVar[bool] = True

    def __init__(
        self,
        optimizer: OptimizerCallable = partial(Adam, lr=0.002),
        lr_scheduler: SchedulerCallable | None = None,
        lr_interval: Literal["epoch", "step"] = "epoch",
    ) -> None:
        super().__init__()
        self.optimizer, self.lr_scheduler, self.lr_interval = optimizer, lr_scheduler, lr_interval
        self.token_loss = TokenLoss()
        self.loaded: list[str] = []

    @classmethod
    @abstractmethod
    def from_checkpoint(cls, checkpoint: dict[str, Any]) -> Self:
        """The model of a checkpoint, its weights not yet loaded."""

    @abstractmethod
    def _nats(self, batch: Any, stage: str) -> tuple[Tensor, int | Tensor]:
        """Cross-entropy summed over the real tokens of a batch, and their number."""

    @abstractmethod
    def codec_state(self) -> object:
        """Plain values that stand for the codecs; none where there are none."""

    @abstractmethod
    def sample(self, data: Any) -> str:
        """A little of what the model says now, for a person to read; empty where there is nothing to say."""

    def flops_per_token(self) -> int:
        """Floating-point operations that training takes for a token; 0 where nobody counted them."""
        return 0

    @torch.no_grad()
    def _set_vectors(self, embedding: nn.Embedding, file: str, vocab: Vocab, kind: str = "tokens") -> None:
        """Sets those rows of an embedding whose tokens have a vector in a file.

        Raises:
            UserError: The file holds no vectors of such tokens and of the embedding's size.
        """
        path = Path(file).expanduser()
        ids, rows = read_vectors(path, vocab, embedding.embedding_dim)
        embedding.weight[torch.from_numpy(ids)] = torch.from_numpy(rows).to(embedding.weight)
        self.loaded.append(f"vectors of {len(ids):,} of {len(vocab):,} {kind} from {path.name}")

    def forget(self) -> None:
        """Drops what is carried from batch to batch."""

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Any]:
        nats, tokens = self._nats(batch, "train")
        return {"loss": nats / tokens, "nats": nats.detach(), "tokens": tokens}

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.token_loss.update(*self._nats(batch, "val"))

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self.token_loss.update(*self._nats(batch, "test"))

    def on_validation_epoch_start(self) -> None:
        self.token_loss.reset()

    def on_test_epoch_start(self) -> None:
        self.token_loss.reset()

    def on_validation_epoch_end(self) -> None:
        loss = self._log_loss("val")
        if self.trainer.state.fn != "fit" or self.trainer.sanity_checking:
            return
        self.log(STEP, float(self.trainer.global_step))
        schedule = self.lr_schedulers()
        if isinstance(schedule, ReduceLROnPlateau):
            schedule.step(loss)

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Steps a schedule; one that waits for val/loss has stepped with the validation, before it was checkpointed."""
        if not isinstance(scheduler, ReduceLROnPlateau):
            super().lr_scheduler_step(scheduler, metric)

    def on_test_epoch_end(self) -> None:
        self._log_loss("test")

    def _log_loss(self, stage: str) -> float:
        loss = self.token_loss.compute()
        self.log_dict({f"{stage}/loss": loss, f"{stage}/perplexity": loss.exp()})
        return float(loss)

    def configure_optimizers(self) -> Any:
        optimizer = _in_one_pass(self.optimizer(self.parameters()))
        if self.lr_scheduler is None:
            return optimizer
        schedule = {"scheduler": self.lr_scheduler(optimizer), "interval": self.lr_interval, "reduce_on_plateau": False}
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        data = getattr(self._trainer, "datamodule", None)
        checkpoint["seqlab"] = {
            "format": FORMAT,
            "kind": self.kind,
            "codec": self.codec_state(),
            "data": data.recipe() if data is not None else None,
            "corpus": data.corpus_name if data is not None else None,
        }
