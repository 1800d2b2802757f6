"""The language model: what a recurrent network does with text under a Trainer."""

import inspect
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ClassVar, Literal

import lightning.pytorch as pl
from torch import Tensor, nn
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from seqlab.checkpoint import FORMAT
from seqlab.data.streams import TextBatch
from seqlab.data.text_data import TextData
from seqlab.decoding.text import continue_text
from seqlab.errors import UserError
from seqlab.metrics import TokenLoss
from seqlab.nn.language_network import LanguageNetwork
from seqlab.nn.ngram import NGram
from seqlab.nn.recurrent import State
from seqlab.text.codec import Codec

OptimizerCallable = Callable[[Iterable[nn.Parameter]], Optimizer]
SchedulerCallable = Callable[[Optimizer], LRScheduler]


class LanguageModel(pl.LightningModule):
    """A recurrent language model trained by truncated backpropagation through time.

    The state is carried from a batch to the next where the batch says that it continues, detached in between.

    Args:
        vocab_size: Ids that go in and logits that come out.
        bidirectional: Refused: a language model must not see the token that it predicts.
        l1: Weight of the sum of absolute weights in the training loss.
        optimizer: Parameters -> optimizer.
        lr_scheduler: Optimizer -> learning-rate schedule; none keeps the rate.
        lr_interval: Whether the schedule steps after every ``epoch`` or every optimizer ``step``.
        codec: Between text and ids; kept in checkpoints, needed by ``generate``.
        network: Options of ``LanguageNetwork``.

    Raises:
        UserError: An option makes no language model.
    """

    network_kind: ClassVar[type[LanguageNetwork] | type[NGram]] = LanguageNetwork

    def __init__(
        self,
        vocab_size: int,
        bidirectional: bool = False,
        l1: float = 0.0,
        optimizer: OptimizerCallable = partial(Adam, lr=0.002),
        lr_scheduler: SchedulerCallable | None = None,
        lr_interval: Literal["epoch", "step"] = "epoch",
        codec: Codec | None = None,
        **network: Any,
    ) -> None:
        super().__init__()
        options = inspect.signature(self.network_kind).bind(vocab_size, **network)
        options.apply_defaults()
        self.save_hyperparameters({**options.arguments, "bidirectional": bidirectional, "l1": l1})
        if bidirectional:
            raise UserError(
                "bidirectional true cannot be had in a language model: its backward half would read the very tokens "
                "that are to be predicted; leave out --model.bidirectional"
            )
        if l1 < 0:
            raise UserError(f"l1 {l1} must be at least 0")
        self.network = self.network_kind(vocab_size, **network)
        self.l1 = l1
        self.optimizer, self.lr_scheduler, self.lr_interval = optimizer, lr_scheduler, lr_interval
        self.codec = codec
        self.token_loss = TokenLoss()
        self._carry: dict[str, State] = {}

    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Logits ``(batch, time, vocab_size)`` of the token after each of ``ids`` ``(batch, time)``, and the state."""
        logits, state = self.network(ids, state)
        return logits, state

    def _nats(self, batch: TextBatch, stage: str) -> tuple[Tensor, int | Tensor]:
        carried = self._carry.get(stage) if batch.continues else None
        nats, tokens, state = self.network.nats(batch.inputs, batch.targets, batch.valid, carried)
        self._carry[stage] = tuple(part.detach().float() for part in state)
        return nats, tokens

    def training_step(self, batch: TextBatch, batch_idx: int) -> dict[str, Any]:
        nats, tokens = self._nats(batch, "train")
        loss = nats / tokens
        if self.l1:
            loss = loss + self.l1 * sum(weight.abs().sum() for weight in self.network.parameters())
        return {"loss": loss, "nats": nats.detach(), "tokens": tokens}

    def validation_step(self, batch: TextBatch, batch_idx: int) -> None:
        self.token_loss.update(*self._nats(batch, "val"))

    def test_step(self, batch: TextBatch, batch_idx: int) -> None:
        self.token_loss.update(*self._nats(batch, "test"))

    def on_validation_epoch_start(self) -> None:
        self.token_loss.reset()

    def on_test_epoch_start(self) -> None:
        self.token_loss.reset()

    def on_validation_epoch_end(self) -> None:
        self._log_loss("val")

    def on_test_epoch_end(self) -> None:
        self._log_loss("test")

    def _log_loss(self, stage: str) -> None:
        loss = self.token_loss.compute()
        self.log_dict({f"{stage}/loss": loss, f"{stage}/perplexity": loss.exp()})

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer(self.parameters())
        if self.lr_scheduler is None:
            return optimizer
        schedule = {"scheduler": self.lr_scheduler(optimizer), "interval": self.lr_interval, "monitor": "val/loss"}
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        data = self._trainer.datamodule if self._trainer is not None else None
        checkpoint["seqlab"] = {
            "format": FORMAT,
            "codec": self.codec.state() if self.codec else None,
            "data": data.recipe() if isinstance(data, TextData) else None,
            "corpus": data.corpus_name if isinstance(data, TextData) else None,
            "carry": list(self._carry.get("train", ())),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        carry = checkpoint["seqlab"]["carry"]
        self._carry = {"train": tuple(part.to(self.device) for part in carry)} if carry else {}

    def generate(
        self,
        prefix: str = "",
        num_tokens: int = 200,
        temperature: float = 0.8,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
    ) -> str:
        """Text that continues a prefix.

        Args:
            prefix: Text to continue.
            num_tokens: Tokens to draw.
            temperature: Divides the logits; 0 takes the most likely token.
            top_k: Draw among the k most likely tokens only.
            top_p: Draw among the fewest tokens whose probabilities sum to at least p.
            seed: Of the draws.

        Returns:
            The prefix and what follows it.

        Raises:
            UserError: A value is out of its range, or the model was made without a codec.
        """
        if self.codec is None:
            raise UserError("this model was made without a codec, so it cannot read text; give codec=data.codec")
        *_, texts = continue_text(self.network, self.codec, prefix, num_tokens, temperature, top_k, top_p, [seed])
        return str(texts[0])
