"""Past steps -> next steps through a recurrent stack, step by step or in segments."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from seqlab.errors import UserError
from seqlab.nn.forecaster import Ahead, Forecaster, Memory, Sizes, TrainedForecasterOptions
from seqlab.options import option
from seqlab.recurrence.dropout import Dropout
from seqlab.recurrence.initialization import initialize
from seqlab.recurrence.stack import StackOptions


@dataclass(frozen=True)
class RecurrentForecasterOptions(TrainedForecasterOptions, StackOptions):
    """Options of ``RecurrentForecaster``."""

    refused: ClassVar[Mapping[str, str]] = {
        "bidirectional": "does not fit a forecaster, which reads forward in time; leave out --model.bidirectional",
    }

    hidden_size: int | list[int] = option(
        64, "Units in each recurrent layer; a list has one number for each layer.", least=1
    )
    embedding_size: int | None = option(None, "Size of the linear layer before the recurrence; null for none.", least=1)
    dropout: float = option(0.0, "Dropout on every non-recurrent connection.", least=0, below=1)
    segment_size: int = option(
        1, "Steps in one input of the recurrence (Lin et al. 2023, arXiv 2308.11200); 1 for step by step.", least=1
    )

    def build(self, sizes: Sizes) -> "RecurrentForecaster":
        return RecurrentForecaster(sizes, self)


class RecurrentForecaster(Forecaster):
    """Recurrent stack over the past, a linear layer on its last output.

    Step by step, the network carries its state on and keeps subtracting the last value of its first history. In
    segments, it reads each window from a zero state.

    Args:
        sizes: Sizes of the window and of the forecast.
        options: Options of the network.

    Raises:
        UserError: The history is not a whole number of segments.
    """

    def __init__(self, sizes: Sizes, options: RecurrentForecasterOptions) -> None:
        super().__init__(sizes, options)
        self.segment = options.segment_size
        if sizes.history % self.segment:
            raise UserError(
                f"segment_size {self.segment} does not divide the history of {sizes.history} steps; give a "
                "--model.segment_size that does, or another --data.history"
            )
        width, size = self.width * self.segment, options.embedding_size
        self.embedding = nn.Identity() if size is None else nn.Sequential(nn.Linear(width, size), nn.ReLU())
        self.recurrent = options.stack(width if size is None else size)
        self.dropout = Dropout(options.dropout)
        self.output = nn.Linear(self.recurrent.output_size, self.numbers)
        self.ahead = Ahead(sizes, self.outputs * self.said.parts)
        initialize(self, options.init, options.forget_bias)

    def read(self, values: Tensor, known: Tensor, memory: Memory | None = None) -> Memory:
        if self.segment > 1:
            return super().read(values, known, memory)
        level, state = (self.level(values), None) if memory is None else (memory[0], memory[2:])
        outputs, state = self.recurrent(self.embedding(self.rows(values - level, known)), state)
        return level, outputs[:, -1], *state

    def tell(self, memory: Memory, ahead: Tensor) -> Tensor:
        if self.segment > 1:
            return super().tell(memory, ahead)
        level, last, *_ = memory
        return self.finished(self.output(self.dropout(last)), ahead, level)

    def body(self, rows: Tensor) -> Tensor:
        segments = rows.reshape(len(rows), -1, self.segment * self.width)
        outputs, _ = self.recurrent(self.embedding(segments))
        said: Tensor = self.output(self.dropout(outputs[:, -1]))
        return said

    def of_ahead(self, ahead: Tensor) -> Tensor | None:
        added: Tensor | None = self.ahead(ahead)
        return added
