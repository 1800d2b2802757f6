"""n-gram language models: the bar that a neural model of the same text must beat."""

from functools import partial
from typing import Any, ClassVar, Literal, Self

import torch
from torch.optim import Adam

from seqlab.data.text import TextData
from seqlab.models.model import OptimizerCallable, SchedulerCallable
from seqlab.models.text_model import TextModel
from seqlab.nn.ngram import NGram, Smoothing
from seqlab.text.codec import Codec


class NGramModel(TextModel):
    """An n-gram model: the training text is counted whole before the one epoch, which measures what came of it.

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

    kind: ClassVar[str] = "ngram"
    by_gradients: ClassVar[bool] = False

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
        super().__init__(NGram(vocab_size, order, smoothing), codec, optimizer, lr_scheduler, lr_interval)
        self.save_hyperparameters({"vocab_size": vocab_size, "order": order, "smoothing": smoothing})

    @classmethod
    def from_checkpoint(cls, checkpoint: dict[str, Any]) -> Self:
        options = checkpoint["hyper_parameters"]
        codec = Codec.from_state(checkpoint["seqlab"]["codec"])
        return cls(options["vocab_size"], options["order"], options["smoothing"], codec=codec)

    def on_fit_start(self) -> None:
        data: TextData = self.trainer.datamodule
        assert isinstance(self.network, NGram)
        self.network.count(torch.from_numpy(data.part("train").ids.astype("int64")))

    def on_train_epoch_end(self) -> None:
        self.trainer.should_stop = True
