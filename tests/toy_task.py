"""A task of one class and one row: whether the id of the next token is odd."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import MeanMetric

from seqlab.data.data_module import DataModule
from seqlab.data.streams import TextBatch
from seqlab.metrics import MeanLoss, Measure, Report, ratio
from seqlab.models import Network, Task
from seqlab.models.model import Model
from seqlab.models.window import Sums
from seqlab.options import Options, option


@dataclass(frozen=True)
class ParityOptions(Options):
    """Options of a table of scores."""

    spread: float = option(0.1, "Standard deviation of the first scores.", above=0)

    def build(self, vocab_size: int) -> nn.Embedding:
        table = nn.Embedding(vocab_size, 2)
        nn.init.normal_(table.weight, std=self.spread)
        return table


class Parity(NamedTuple):
    """A text, and whether the id of the token after it is odd."""

    text: str
    odd: bool
    probability: float

    def __str__(self) -> str:
        return "odd" if self.odd else "even"


class ParityModel(Model):
    """Says of each token whether the id of the next one is odd."""

    task: ClassVar[str] = "parity"
    says: ClassVar[str] = "model of parity"
    measures: ClassVar[Mapping[str, Measure]] = {
        "accuracy": Measure("accuracy", "{:.2%}", "higher", metric=lambda model: MeanMetric(), resampled=ratio("right"))
    }

    def _logits(self, batch: TextBatch) -> tuple[Tensor, Tensor]:
        """Of the real tokens ``(tokens, 2)``, and what they should say ``(tokens,)``."""
        valid = torch.ones_like(batch.inputs, dtype=torch.bool) if batch.valid is None else batch.valid
        return self.network(batch.inputs[valid]), batch.targets[valid] % 2

    def loss(self, batch: TextBatch, stage: str) -> Sums:
        logits, odd = self._logits(batch)
        return Sums(F.cross_entropy(logits, odd, reduction="sum"), len(odd))

    def score(self, batch: TextBatch, metrics: Any, stage: str) -> None:
        logits, odd = self._logits(batch)
        metrics["loss"].update(F.cross_entropy(logits, odd, reduction="sum"), len(odd))
        metrics["accuracy"].update((logits.argmax(1) == odd).double())

    @torch.inference_mode()
    def evaluate(self, data: DataModule, split: Any = "test", items: bool = False, *, scale: float = 1.0) -> Report:
        """How often it is right.

        Args:
            data: A text.
            split: Part of it.
            items: Whether to tell of each token.
            scale: Multiplies the loss.
        """
        total, right = MeanLoss(alone=True), []
        for batch in data.evaluation_loader(split):  # type: ignore[attr-defined]
            logits, odd = self._logits(batch)
            total.update(F.cross_entropy(logits, odd, reduction="sum"), len(odd))
            right += (logits.argmax(1) == odd).int().tolist()
        return Report(
            corpus=data.corpus_name,
            split=split,
            loss=scale * float(total.compute()),
            count=len(right),
            seconds=1.0,
            measures={"accuracy": sum(right) / len(right)},
            items={"item": [*range(len(right))], "right": right} if items else {},
        )

    @torch.inference_mode()
    def predict(self, inputs: Iterable[str], *, least: float = 0.5) -> Iterator[Parity]:
        """Says what comes after each text.

        Args:
            inputs: Texts.
            least: Probability from which it says odd.
        """
        for text in inputs:
            ids = torch.tensor(self.codecs["text"].encode(text)[-1:])  # type: ignore[union-attr]
            odd = float(self.network(ids).softmax(1)[0, 1])
            yield Parity(text, odd >= least, odd)


ROW = Task(ParityModel, data=("text",), networks={"parity": Network(ParityOptions)})
