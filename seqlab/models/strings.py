"""Strings without alignment: a picture in, its symbols out; training knows no positions (CTC, Graves et al. 2006)."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import lightning.pytorch as pl
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from seqlab.analysis.alignments import Alignment, StringInspection
from seqlab.data.data_module import DataModule
from seqlab.data.digit_strings import DigitStrings
from seqlab.data.loader import Loader, in_batches
from seqlab.data.parts import Split
from seqlab.data.picture_text import picture_of, shown, write_picture
from seqlab.data.string_batches import EvaluationStrings, StringBatch
from seqlab.decoding.ctc import BLANK, best_path, prefix_search, spans
from seqlab.decoding.strings import FORMATS, StringRead, decoding_of
from seqlab.errors import UserError
from seqlab.metrics import MeanLoss, Measure, ratio
from seqlab.models.model import Model
from seqlab.models.strings_report import Found, StringsReport, columns_of
from seqlab.models.window import Sums
from seqlab.nn.evaluating import evaluating
from seqlab.nn.string_grams import grams_of
from seqlab.text.edits import edit_distance
from seqlab.text.labels import Labels
from seqlab.text.strip import Strip
from seqlab.views.readings import AlignmentView

ORDER = 3
"""Order of the n-gram for the beam search."""
TOGETHER = 64
"""Strings in a batch of ``predict``."""
SHOWN = 4
"""Strings to show at the end of training."""

MEASURES: Mapping[str, Measure] = {
    "cer": Measure("character error rate", "{:.2%}", "lower", lambda model: MeanLoss(), ratio("edits", "symbols")),
    "exact": Measure("strings right", "{:.2%}", "higher", lambda model: MeanLoss(), ratio("correct")),
}


class StringReader(Model):
    """A model that reads the string in a picture. Its codecs are ``image`` and ``symbol``; the blank is no symbol.

    A string needs a step for each symbol and for a blank between two equal symbols. A string with too few steps is not
    in the loss, and counts as an error.

    Attributes:
        grams: N-gram of the training strings, see ``seqlab.nn.string_grams.grams_of``.
    """

    task: ClassVar[str] = "strings"
    says: ClassVar[str] = "reader of strings"
    unit: ClassVar[str] = "strings"
    loss_unit: ClassVar[str] = "nats per string"
    measures: Mapping[str, Measure] = MEASURES
    formats = FORMATS
    grams: Tensor

    def build(self) -> nn.Module:
        ids = self.labels.vocab_size + 1
        self.register_buffer("grams", torch.full((ids ** (ORDER - 1), ids), 1 / ids).log())
        self._read, self._empty = 0, 0
        return super().build()

    @property
    def strip(self) -> Strip:
        """The codec between pictures and columns."""
        return self.codec_named("image", Strip)

    @property
    def labels(self) -> Labels:
        """The symbols."""
        return self.codec_named("symbol", Labels)

    def written(self, symbols: Iterable[int]) -> str:
        """The text of ids."""
        return "".join(self.labels.names[one] for one in symbols)

    def forward(self, images: Tensor, lengths: Tensor) -> Tensor:
        """Log-probabilities ``(batch, steps, symbols + 1)``, the blank first, of pictures ``(batch, columns, height)``;
        ``lengths`` ``(batch,)`` are their columns.
        """
        logits: Tensor = self.network(images.to(next(self.network.parameters()).dtype), lengths)
        return (logits if logits.dtype == torch.float64 else logits.float()).log_softmax(-1)

    def loss(self, batch: StringBatch, stage: str) -> Sums:
        nats, counted = self.nats_of_strings(batch, self(batch.images, batch.lengths))
        return Sums(nats.sum(), counted.sum())

    def nats_of_strings(self, batch: StringBatch, log_probs: Tensor) -> tuple[Tensor, Tensor]:
        """-log p of each string given its picture ``(batch,)``, and which strings count: real, with enough steps."""
        steps = self.network.steps(batch.lengths)
        counted = batch.valid & self.fits(batch)
        nats = F.ctc_loss(
            log_probs.transpose(0, 1),
            batch.targets.clamp(min=0) + 1,
            steps,
            batch.target_lengths,
            blank=BLANK,
            reduction="none",
            zero_infinity=True,
        )
        return torch.where(counted, nats, 0), counted

    def fits(self, batch: StringBatch) -> Tensor:
        """Whether each string has enough steps for its symbols and the blanks between equal symbols ``(batch,)``."""
        same = (batch.targets[:, 1:] == batch.targets[:, :-1]) & (batch.targets[:, 1:] >= 0)
        found: Tensor = batch.target_lengths + same.sum(1) <= self.network.steps(batch.lengths)
        return found

    def score(self, batch: StringBatch, metrics: Any, stage: str) -> None:
        log_probs = self(batch.images, batch.lengths)
        nats, counted = self.nats_of_strings(batch, log_probs)
        metrics["loss"].update(nats.sum(), counted.sum())
        said = best_path(log_probs, self.network.steps(batch.lengths))
        pairs = [
            (one, row[:length])
            for one, row, length, valid in zip(
                said, batch.targets.tolist(), batch.target_lengths.tolist(), batch.valid.tolist(), strict=True
            )
            if valid
        ]
        edits = [edit_distance(one, wanted) for one, wanted in pairs]
        metrics["cer"].update(log_probs.new_tensor(float(sum(edits))), sum(len(wanted) for _, wanted in pairs))
        metrics["exact"].update(log_probs.new_tensor(float(edits.count(0))), len(edits))
        self._read += len(pairs)
        self._empty += sum(not one for one, _ in pairs)

    def on_validation_epoch_start(self) -> None:
        super().on_validation_epoch_start()
        self._read = self._empty = 0

    def on_fit_start(self) -> None:
        data = self.trainer.datamodule
        assert isinstance(data, DigitStrings)
        self._count_strings(data)
        self.check_data(data)
        if (unfit := self._unfit(data)) and self.trainer.is_global_zero:
            told = f"{unfit:,} of {data.num_items():,} training strings have too few steps and are not in the loss"
            print(f"seqlab: {told}: {self._way_out()}", file=sys.stderr, flush=True)
        super().on_fit_start()

    def _count_strings(self, data: DigitStrings) -> None:
        self.grams.copy_(grams_of(data.strings("train").symbols(), self.labels.vocab_size, ORDER))

    def check_data(self, data: DataModule) -> None:
        assert isinstance(data, DigitStrings)
        if self._unfit(data) == data.num_items():
            raise UserError(f"no training string has steps enough for its symbols: {self._way_out()}")

    def _unfit(self, data: DigitStrings) -> int:
        """Number of training strings with too few steps for their symbols."""
        strings = data.strings("train")
        steps = self.network.steps(torch.from_numpy(strings.lengths))
        return int((steps < torch.from_numpy(strings.needed)).sum())

    def _way_out(self) -> str:
        each = self.network.columns_per_step
        told = f"at columns_per_step {each} there must be a step for each and one between two that are equal"
        return f"{told}; give a smaller --model.columns_per_step, or a larger --data.least_gap"

    def remarks(self, measured: Mapping[str, float]) -> list[str]:
        if not self._read or self._empty < self._read:
            return []
        return [
            "This model predicts the blank everywhere: it read no symbol in any validation string. CTC training begins "
            "like this; give more --trainer.max_epochs, or another --optimizer.lr."
        ]

    def count(self, data: DataModule) -> None:
        assert isinstance(data, DigitStrings)
        self._count_strings(data)
        loader = Loader(EvaluationStrings(data.strings("train"), TOGETHER))
        self.network.count(batch.to(self.grams.device) for batch in loader)

    def read(self, log_probs: Tensor, steps: Tensor, beam_size: int, lm_weight: float) -> list[list[int]]:
        """The symbols of each row: those of the best path, or with a beam above 1 the best string of the search."""
        if beam_size == 1:
            return best_path(log_probs, steps)
        found = prefix_search(log_probs, steps, beam_size, self.grams if lm_weight else None, lm_weight)
        return [row[0].symbols if row else [] for row in found]

    def probabilities(self, log_probs: Tensor, steps: Tensor, strings: list[list[int]]) -> list[float]:
        """Probability of each string given its picture, over all paths."""
        longest = max(1, *map(len, strings))
        targets = torch.tensor([[one + 1 for one in row] + [1] * (longest - len(row)) for row in strings])
        lengths = torch.tensor([len(row) for row in strings], device=log_probs.device)
        flipped = log_probs.double().transpose(0, 1)
        nats = F.ctc_loss(flipped, targets.to(log_probs.device), steps, lengths, blank=BLANK, reduction="none")
        return (-nats).exp().tolist()

    def _found(self, batches: Iterable[StringBatch], beam_size: int, lm_weight: float) -> Iterator[Found]:
        for batch in batches:
            own = batch.to(self.grams.device)
            log_probs, steps = self(own.images, own.lengths), self.network.steps(own.lengths)
            said = self.read(log_probs, steps, beam_size, lm_weight)
            nats, _ = self.nats_of_strings(own, log_probs.double())
            targets = zip(own.targets.tolist(), own.target_lengths.tolist(), strict=True)
            wanted = [row[:length] for row, length in targets]
            sure, fits = self.probabilities(log_probs, steps, said), self.fits(own).tolist()
            rows = zip(own.items.tolist(), wanted, said, nats.tolist(), fits, sure, own.valid.tolist(), strict=True)
            yield from (Found(*row) for *row, valid in rows if valid)

    @torch.no_grad()
    def evaluate(
        self,
        data: DataModule,
        split: Split = "test",
        items: bool = False,
        *,
        beam_size: int = 1,
        lm_weight: float = 0.0,
        errors: int = 5,
        pictures: str | None = None,
    ) -> StringsReport:
        """Measures the reading of one part, with every string once.

        Args:
            data: The strings, with this model's codecs.
            split: Part of the data.
            items: Whether the report also has results for each string.
            beam_size: Prefixes that the search keeps at every step; 1 takes the best path.
            lm_weight: Weight of an n-gram of the training strings in the search; needs beam_size above 1.
            errors: Number of errors to list, the most confident first.
            pictures: Folder for pictures of the listed errors, as PNG files ITEM-RIGHT-SAID.png.

        Raises:
            UserError: The data are of another kind, there is no such part, a value is out of its range, or a picture
                cannot be written.
        """
        if not isinstance(data, DigitStrings):
            raise UserError("a reader of strings is measured on pictures of strings; give --data digit_strings")
        if errors < 0:
            raise UserError(f"errors {errors} must be a whole number of at least 0")
        decoding = decoding_of(beam_size, lm_weight, ORDER)
        self.check_finite()
        started = time.monotonic()
        with evaluating(self):
            found = sorted(self._found(data.evaluation_loader(split), beam_size, lm_weight))
        columns = columns_of(found, self.written)
        fit = sum(one.fits for one in found)
        edits, symbols = sum(columns["edits"]), sum(columns["symbols"])
        report = StringsReport(
            corpus=data.corpus_name,
            split=split,
            loss=sum(one.nats for one in found) / fit if fit else float("nan"),
            count=fit,
            seconds=time.monotonic() - started,
            measures={"cer": edits / symbols, "exact": sum(columns["correct"]) / len(found)},
            items=columns if items else {},
            strings=len(found),
            symbols=symbols,
            edits=edits,
            empty=sum(not one.said for one in found),
            unfit=len(found) - fit,
            decoding=decoding,
            columns=columns,
            resampled=self.measures,
            errors=errors,
        )
        if pictures is not None:
            for wrong in report.worst():
                name = f"{wrong.item}-{wrong.right}-{wrong.said or 'nothing'}.png"
                write_picture(data.strings(split).picture(wrong.item).T, Path(pictures) / name)
        return report

    def predict(self, inputs: Iterable[str], *, beam_size: int = 1, lm_weight: float = 0.0) -> Iterator[StringRead]:
        """The string in each of several pictures, with the columns of each symbol.

        Args:
            inputs: Files of pictures, light on dark or dark on light.
            beam_size: Prefixes that the search keeps at every step; 1 takes the best path.
            lm_weight: Weight of an n-gram of the training strings in the search; needs beam_size above 1.

        Raises:
            UserError: A picture cannot be read, or a value is out of its range.
        """
        decoding_of(beam_size, lm_weight, ORDER)
        self.check_finite()
        for names in in_batches(inputs, TOGETHER):
            pictures = [picture_of(name) for name in names]
            for name, picture, one in zip(names, pictures, self.aligned(pictures, beam_size, lm_weight), strict=True):
                scale = picture.shape[1] / len(one.columns)
                yield StringRead(shown(name), one.said, one.probability, one.places(scale))

    @torch.no_grad()
    def aligned(
        self, pictures: list[NDArray[np.uint8]], beam_size: int = 1, lm_weight: float = 0.0
    ) -> Iterator[Alignment]:
        """Predicted symbols of pictures ``(rows, columns)``, and their columns."""
        columns = [self.strip.columns(picture) for picture in pictures]
        device = self.grams.device
        lengths = torch.tensor([len(one) for one in columns], device=device)
        images = torch.zeros(len(columns), int(lengths.max()), self.strip.height)
        for row, one in enumerate(columns):
            images[row, : len(one)] = torch.from_numpy(one / 255)
        steps = self.network.steps(lengths)
        with evaluating(self):
            log_probs = self(images.to(device), lengths)
        said = self.read(log_probs, steps, beam_size, lm_weight)
        sure, found = self.probabilities(log_probs, steps, said), spans(log_probs, steps, said)
        chances = log_probs.exp().double().cpu().numpy()
        for row, (one, count) in enumerate(zip(columns, steps.tolist(), strict=True)):
            places = [(span.first, span.last, span.probability) for span in found[row]]
            symbols = [self.labels.names[symbol] for symbol in said[row]]
            each = self.network.columns_per_step
            yield Alignment(one, chances[row, :count], self.labels.names, each, symbols, places, sure[row])

    def shown(self, data: DataModule, split: Split, count: int) -> list[tuple[str, Alignment]]:
        """The first strings of a part as text, and their predictions."""
        assert isinstance(data, DigitStrings)
        strings = data.strings(split)
        pictures = [strings.picture(row).T for row in range(min(count, len(strings)))]
        return [*zip(data.written(split)[:count], self.aligned(pictures), strict=True)]

    def inspect(
        self,
        data: Callable[[], DataModule],
        *,
        image: str | None = None,
        split: Split = "test",
        count: int = 4,
    ) -> StringInspection:
        """Shows where the model predicts each symbol, and with what probability.

        Args:
            data: The corpus that the model was trained on.
            image: File of a picture; strings of the corpus if not given.
            split: Part of the corpus.
            count: Number of its strings.

        Raises:
            UserError: The picture cannot be read, or count is below 1.
        """
        if count < 1:
            raise UserError(f"count {count} must be a whole number of at least 1")
        if image is None:
            return StringInspection(self.run, self.shown(data(), split, count))
        return StringInspection(self.run, [("", one) for one in self.aligned([picture_of(image)])])

    def sample(self, data: DataModule) -> str:
        rows = self.shown(data, data.watched_part, SHOWN)
        return "\n".join(f"{one.said or '(nothing)'} for {wanted}" for wanted, one in rows)

    def views(self, data: DataModule, folder: Path, pictures: bool) -> list[pl.Callback]:
        return [AlignmentView(pictures)]

    def command(self, data: DataModule, checkpoint: str) -> str:
        return f"python -m seqlab.inspect {checkpoint} --output figures"
