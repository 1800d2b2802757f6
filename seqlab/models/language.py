"""Language models: a text predicted token by token, by a recurrence or by counts."""

import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, cast

import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqlab.analysis.inspection import Inspection, inspect_network
from seqlab.data.data_module import DataModule
from seqlab.data.parts import SPLITS, Split
from seqlab.data.streams import EvaluationBatches, TextBatch
from seqlab.data.text import TextData
from seqlab.data.text_lines import EvaluationLines, TextLines
from seqlab.decoding.text import continue_text
from seqlab.errors import UserError
from seqlab.metrics import PERPLEXITY, MeanLoss, Measure
from seqlab.models.language_report import LanguageReport
from seqlab.models.model import Model
from seqlab.models.pretrained import set_vectors
from seqlab.models.window import Sums
from seqlab.nn.language_network import LanguageNetwork, LanguageOptions
from seqlab.nn.ngram import NGram
from seqlab.recurrence.state import AnyState, mapped
from seqlab.text.codec import Codec
from seqlab.text.vocab import BOS
from seqlab.views.gates import RecurrenceWatch
from seqlab.views.projector import EmbeddingView
from seqlab.views.samples import TextSamples

SAMPLE_TOKENS = 200
BLOCK = 100
"""Tokens of an item that a report tells of."""
LOOK_EVERY = 200
"""Optimizer steps from one look at the recurrence, or sample, to the next, so that they cost little."""


class Continuation(NamedTuple):
    """A prefix and the text that continues it, prefix and all."""

    prefix: str
    text: str

    def __str__(self) -> str:
        return self.text


class LanguageModel(Model):
    """A model that predicts each token of a text from those before it.

    The state is carried from a batch to the next where the batch says that it continues, detached in between (truncated
    backpropagation through time). Its one codec is ``text``.
    """

    task: ClassVar[str] = "language"
    says: ClassVar[str] = "language model"
    unit: ClassVar[str] = "tokens"
    loss_unit: ClassVar[str] = "nats per token"
    measures: Mapping[str, Measure] = {"perplexity": PERPLEXITY}
    network: LanguageNetwork | NGram

    def build(self) -> LanguageNetwork | NGram:
        self._carry: dict[str, AnyState] = {}
        made = cast(LanguageNetwork | NGram, super().build())
        file = getattr(self.options, "vectors", None)
        if file is not None and isinstance(made, LanguageNetwork) and made.embedding is not None:
            self.loaded.append(set_vectors(made.embedding, file, self.codec.vocab))
        return made

    @property
    def codec(self) -> Codec:
        """Between text and ids."""
        return self.codec_named("text", Codec)

    def forward(self, ids: Tensor, state: AnyState | None = None) -> tuple[Tensor, AnyState]:
        """Logits ``(batch, time, vocab_size)`` of the token after each of ``ids`` ``(batch, time)``, and the state."""
        logits, state = self.network(ids, state)
        return logits, state

    def loss(self, batch: TextBatch, stage: str) -> Sums:
        device, carried = batch.inputs.device, self._carry.get(stage) if batch.continues else None
        before = None if carried is None else mapped(carried, lambda part: part.to(device))
        nats, tokens, state = self.network.nats(batch.inputs, batch.targets, batch.valid, before)
        self._carry[stage] = self.network.cast(self.network.detached(state))
        return Sums(nats, tokens)

    def penalty(self) -> Tensor | None:
        if not isinstance(self.options, LanguageOptions) or not self.options.l1:
            return None
        return self.options.l1 * torch.stack([part.abs().sum() for part in self.network.parameters()]).sum()

    def count(self, data: DataModule) -> None:
        assert isinstance(data, TextData)
        assert isinstance(self.network, NGram)
        begin = self.codec.vocab.id_of(BOS) if self.codec.line_begins else None
        self.network.count(torch.from_numpy(data.part("train").ids.astype("int64")), begin)

    def forget(self) -> None:
        self._carry = {}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        carried = self._carry.get("train")
        if carried is not None and self._trainer is not None and self._trainer.world_size > 1:
            of_all = mapped(carried, self.all_gather)
            ranks = range(self._trainer.world_size)
            carried = self.network.gathered([mapped(of_all, lambda part, r=rank: part[r]) for rank in ranks])
        checkpoint["seqlab"]["carry"] = carried

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        carried = checkpoint["seqlab"].get("carry")
        if carried is not None and self._trainer is not None and self._trainer.world_size > 1:
            rows = torch.arange(self.network.num_rows(carried)).chunk(self._trainer.world_size)
            carried = self.network.of_rows(carried, rows[self._trainer.global_rank])
        self._carry = {} if carried is None else {"train": carried}

    @torch.inference_mode()
    def evaluate(self, data: DataModule, split: Split = "test", items: bool = False) -> LanguageReport:
        """How well it predicts one part of a text, every token once, the state carried.

        Args:
            data: The text, with this model's codec.
            split: Part of it.
            items: Whether the report tells of each run of 100 tokens, or of each line, too.
        """
        if not isinstance(data, TextData):
            raise UserError("a language model is measured on a text; give --data text or the name of one")
        self.check_finite()
        started, state, unknown, streams = time.monotonic(), None, 0, 0
        total = MeanLoss(alone=True).to(self.device)
        loader, part = data.evaluation_loader(split), data.part(split)
        each = np.zeros(len(part.ids) - 1) if items else None
        for index, batch in enumerate(loader):
            inputs, targets = batch.inputs.to(self.device), batch.targets.to(self.device)
            valid = None if batch.valid is None else batch.valid.to(self.device)
            if each is not None:
                nats, _ = self.network.token_nats(inputs, targets, state if batch.continues else None)
                _place(each, nats, batch, index, cast(EvaluationBatches | EvaluationLines, loader.batches))
            before = state if batch.continues else None
            sum_of_nats, tokens, state = self.network.nats(inputs, targets, valid, before)
            total.update(sum_of_nats, tokens)
            real = targets if valid is None else targets[valid]
            unknown += int((real == self.codec.vocab.unk).sum())
            streams = len(inputs)
        lines = data.lines_of(split)
        loss = float(total.compute())
        return LanguageReport(
            corpus=data.corpus_name,
            split=split,
            loss=loss,
            count=int(total.count),
            seconds=time.monotonic() - started,
            measures={"perplexity": PERPLEXITY.of_loss(loss)} if PERPLEXITY.of_loss else {},
            items={} if each is None else self._runs(each, part.ids, lines),
            unknown=unknown,
            characters=part.characters - len(self.codec.decode(part.ids[:1].tolist())),
            streams=streams if lines is None else len(lines.starts),
            lines=lines is not None,
        )

    def _runs(self, nats: NDArray[np.float64], ids: NDArray[Any], lines: TextLines | None) -> dict[str, list[Any]]:
        """What was reached on each run of tokens, or on each line."""
        if lines is None:
            runs = [(begin, min(begin + BLOCK, len(nats))) for begin in range(0, len(nats), BLOCK)]
        else:
            runs = [*zip(lines.starts.tolist(), (lines.starts + lines.lengths).tolist(), strict=True)]
        return {
            "item": [*range(len(runs))],
            "tokens": [end - begin for begin, end in runs],
            "nats": [float(nats[begin:end].sum()) for begin, end in runs],
            "text": [self.codec.written(ids[begin + 1 : end + (lines is None)]) for begin, end in runs],
        }

    def generate(
        self,
        prefix: str = "",
        *,
        num_tokens: int = 200,
        temperature: float = 0.8,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
        num_samples: int | None = None,
    ) -> str | list[str]:
        """Continues a prefix.

        Args:
            prefix: Text to continue, cleaned as the training text was.
            num_tokens: Tokens to draw for each sample.
            temperature: Divides the logits; 0 takes the most likely token.
            top_k: Draw among the k most likely tokens only.
            top_p: Draw among the fewest tokens whose probabilities sum to at least p.
            seed: Of the first sample; the next ones take the next seeds.
            num_samples: Continuations, decoded together; one, as a text and not as a list of texts, if not given.

        Returns:
            The prefix and what follows it, of each sample.

        Raises:
            UserError: A value is out of its range.
        """
        asked = prefix, num_tokens, temperature, top_k, top_p, seed
        (texts,) = self.stream(*asked, 1 if num_samples is None else num_samples, streaming=False)
        return texts if num_samples is not None else texts[0]

    def stream(
        self,
        prefix: str = "",
        num_tokens: int = 200,
        temperature: float = 0.8,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
        num_samples: int = 1,
        streaming: bool = True,
    ) -> Iterator[list[str]]:
        """As ``generate``, the texts as far as they stand after every token."""
        if num_samples < 1:
            raise UserError(f"num_samples {num_samples} must be a whole number of at least 1")
        self.check_finite()
        seeds = range(seed, seed + num_samples)
        asked = prefix, num_tokens, temperature, top_k, top_p
        yield from continue_text(self.network, self.codec, *asked, seeds=seeds, streaming=streaming)

    def predict(
        self,
        inputs: Iterable[str],
        *,
        num_tokens: int = 200,
        temperature: float = 0.8,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
    ) -> Iterator[Continuation]:
        """Continues each of several prefixes.

        Args:
            inputs: Texts to continue.
            num_tokens: Tokens to draw for each.
            temperature: Divides the logits; 0 takes the most likely token.
            top_k: Draw among the k most likely tokens only.
            top_p: Draw among the fewest tokens whose probabilities sum to at least p.
            seed: Of each.
        """
        for prefix in inputs:
            (texts,) = self.stream(prefix, num_tokens, temperature, top_k, top_p, seed, streaming=False)
            yield Continuation(prefix, texts[0])

    def inspect(self, data: Callable[[], DataModule], *, text: str | None = None, num_steps: int = 64) -> Inspection:
        """What its recurrence does with its memory while it reads.

        Args:
            data: Reads the corpus that it was trained on.
            text: Text to read; if not given, the held-out part of that corpus.
            num_steps: Steps that gradients are followed back.

        Raises:
            UserError: It counts, or the text is too short.
        """
        if not isinstance(self.network, LanguageNetwork):
            raise UserError(f"{self.run} holds n-grams, which have no recurrence to look at; give a recurrent model")
        self.check_finite()
        if text is not None:
            ids = np.array(self.codec.encode(text), dtype=np.int64)
            return inspect_network(self.network, self.codec, ids, num_steps, self.run, "the text given")
        corpus = data()
        assert isinstance(corpus, TextData)
        split = next(part for part in SPLITS[::-1] if corpus.has(part))
        source = f"{corpus.corpus_name}, {split} part"
        return inspect_network(self.network, self.codec, corpus.part(split).ids, num_steps, self.run, source)

    def sample(self, data: DataModule) -> str:
        try:
            return str(self.generate(data.prompt or "", num_tokens=SAMPLE_TOKENS))
        except UserError as error:  # an unsmoothed model of counts has come to a dead end
            return f"({error})"

    def views(self, data: DataModule, folder: Path, pictures: bool) -> list[pl.Callback]:
        every = 1 if pictures else LOOK_EVERY
        shown: list[pl.Callback] = []
        if data.prompt is not None:
            shown.append(TextSamples(data.prompt, every=every))
        if isinstance(self.network, LanguageNetwork):
            shown += [RecurrenceWatch(folder, pictures, every), EmbeddingView()]
        return shown

    def command(self, data: DataModule, checkpoint: str) -> str:
        prefix = f" --prefix {shlex.quote(data.prompt)}" if data.prompt else ""
        return f"python -m seqlab.generate {checkpoint}{prefix}"

    def flops_per_item(self) -> int:
        """A multiplication and an addition for each weight going forward, two of each going back."""
        return 6 * self.network.weights_multiplied() if isinstance(self.network, LanguageNetwork) else 0

    def export(self, *, format: Literal["safetensors", "onnx"] = "safetensors") -> bytes:
        """The weights, or the whole network, for other programs.

        Args:
            format: safetensors, the weights; or onnx, a recurrent network over any batch and time, state in and out.

        Returns:
            The content of a file, whose metadata hold ``task`` and ``model``, and as JSON ``options`` and ``codecs``;
            of an onnx file ``first_state`` too, the parts ``(layers, hidden_size)`` of the state before the first token
            where it was learned, ``{}`` where it is zero.
        """
        if format == "safetensors":
            return super().export()
        if not isinstance(self.network, LanguageNetwork):
            raise UserError(
                "format onnx is for recurrent language models, and n-grams are none; leave out --format onnx for the "
                "counts as safetensors"
            )
        from seqlab.nn.onnx_step import onnx_bytes

        self.check_finite()
        return onnx_bytes(self.network, self.export_metadata())


def _place(
    each: NDArray[np.float64], nats: Tensor, batch: TextBatch, index: int, batches: EvaluationBatches | EvaluationLines
) -> None:
    """Puts the losses of a batch where its tokens stand in the text."""
    places = batches.places(index, nats.shape[1])
    real = np.ones(places.shape, dtype=bool) if batch.valid is None else batch.valid.numpy()
    each[places[real]] = nats.double().cpu().numpy()[real]
