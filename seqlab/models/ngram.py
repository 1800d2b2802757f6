"""n-gram language models: the bar that a neural model of the same text must beat."""

from functools import partial
from typing import Any, ClassVar, Literal

import torch
from torch.optim import Adam

from seqlab.data.text_data import TextData
from seqlab.models.language_model import LanguageModel, OptimizerCallable, SchedulerCallable
from seqlab.nn.language_network import LanguageNetwork
from seqlab.nn.ngram import NGram, Smoothing
from seqlab.text.codec import Codec


class NGramModel(LanguageModel):
    """An n-gram model: the training text is counted whole before the one epoch, which measures what came of it.

    Nothing is learned by gradients, so the optimizer and its schedule change nothing.

    Args:
        vocab_size: Ids.
        order: Tokens in the longest n-gram: the one predicted and order - 1 before it.
        smoothing: none (relative frequencies), laplace (one more of everything) or kneser_ney (interpolated, modified).
        optimizer: Not used.
        lr_scheduler: Not used.
        lr_interval: Not used.
        codec: Between text and ids; kept in checkpoints, needed by ``generate``.

    Raises:
        UserError: An n-gram does not fit in 63 bits, or a value is out of its range.
    """

    network_kind: ClassVar[type[LanguageNetwork] | type[NGram]] = NGram

    def __init__(
        self,
        vocab_size: int,
        order: int = 3,
        smoothing: Smoothing = "kneser_ney",
        optimizer: OptimizerCallable = partial(Adam, lr=0.002),
        lr_scheduler: SchedulerCallable | None = None,
        lr_interval: Literal["epoch", "step"] = "epoch",
        codec: Codec | None = None,
    ) -> None:
        network: dict[str, Any] = {"order": order, "smoothing": smoothing}
        super().__init__(
            vocab_size,
            optimizer=optimizer,
            lr_scheduler=lr_scheduler,
            lr_interval=lr_interval,
            codec=codec,
            **network,
        )

    def on_fit_start(self) -> None:
        data: TextData = self.trainer.datamodule
        assert isinstance(self.network, NGram)
        self.network.count(torch.from_numpy(data.part("train").ids.astype("int64")))

    def on_train_epoch_end(self) -> None:
        self.trainer.should_stop = True
