"""The encoder-decoder: what a translation network does with sentence pairs under a Trainer."""

import inspect
from functools import partial
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor
from torch.optim import Adam

from seqlab.data.data_module import DataModule
from seqlab.data.pairs import PairBatch
from seqlab.data.parallel import ParallelData
from seqlab.decoding.beam import Beam
from seqlab.decoding.translation import detokenize, translate
from seqlab.errors import UserError
from seqlab.metrics import corpus_bleu
from seqlab.models.model import OptimizerCallable, SchedulerCallable, SequenceModel
from seqlab.nn.translation_network import TranslationNetwork
from seqlab.text.codec import Codec

GREEDY = Beam(max_length=50)
SHOWN = 4
"""Sentences whose translations are shown."""


class Seq2Seq(SequenceModel):
    """An encoder-decoder trained by teacher forcing on pairs of sentences.

    Args:
        source_codec: Between source text and ids; kept in checkpoints.
        target_codec: Between target text and ids; kept in checkpoints.
        source_vectors: File of word vectors, a token and its numbers a line, plain or .gz, that the source embedding
            begins with.
        target_vectors: The same of the target.
        label_smoothing: Share of the target's probability that is spread evenly over all ids, in training alone.
        scheduled_sampling: Share of the decoder's inputs replaced by its own choices, in training alone.
        bleu_sentences: Sentences of the validation part that are translated greedily for val/bleu; 0 for none.
        optimizer: Parameters -> optimizer.
        lr_scheduler: Optimizer -> learning-rate schedule; none keeps the rate.
        lr_interval: Whether the schedule steps after every ``epoch`` or every optimizer ``step``.
        network: Options of ``TranslationNetwork``.

    Raises:
        UserError: An option makes no such model.
    """

    kind: ClassVar[str] = "seq2seq"
    reads: ClassVar[type[DataModule]] = ParallelData

    def __init__(
        self,
        source_codec: Codec,
        target_codec: Codec,
        source_vectors: str | None = None,
        target_vectors: str | None = None,
        label_smoothing: float = 0.0,
        scheduled_sampling: float = 0.0,
        bleu_sentences: int = 500,
        optimizer: OptimizerCallable = partial(Adam, lr=0.002),
        lr_scheduler: SchedulerCallable | None = None,
        lr_interval: Literal["epoch", "step"] = "epoch",
        **network: Any,
    ) -> None:
        super().__init__(optimizer, lr_scheduler, lr_interval)
        sizes = source_codec.vocab_size, target_codec.vocab_size
        options = inspect.signature(TranslationNetwork).bind(*sizes, **network)
        options.apply_defaults()
        own = {"label_smoothing": label_smoothing, "scheduled_sampling": scheduled_sampling}
        for name, share in own.items():
            if not 0 <= share < 1:
                raise UserError(f"{name} {share} must be at least 0 and below 1")
        if bleu_sentences < 0:
            raise UserError(f"bleu_sentences {bleu_sentences} must be at least 0")
        if options.arguments["shared"] and source_vectors is not None and target_vectors is not None:
            raise UserError(
                "a shared embedding begins with one file; leave out --model.source_vectors or --model.target_vectors"
            )
        self.save_hyperparameters({**options.arguments, **own, "bleu_sentences": bleu_sentences})
        self.label_smoothing, self.scheduled_sampling = label_smoothing, scheduled_sampling
        self.bleu_sentences = bleu_sentences
        self.network = TranslationNetwork(*sizes, **network)
        self.source_codec, self.target_codec = source_codec, target_codec
        if source_vectors is not None:
            self._set_vectors(self.network.encoder.embedding, source_vectors, source_codec.vocab, "source tokens")
        if target_vectors is not None:
            self._set_vectors(self.network.decoder.embedding, target_vectors, target_codec.vocab, "target tokens")

    def forward(self, source: Tensor, lengths: Tensor, inputs: Tensor) -> Tensor:
        """Logits ``(batch, time, target_vocab_size)``, of ``TranslationNetwork``."""
        logits: Tensor = self.network(source, lengths, inputs)
        return logits

    def _nats(self, batch: PairBatch, stage: str) -> tuple[Tensor, int | Tensor]:
        return self.network.nats(*batch), batch.valid.sum()

    def training_step(self, batch: PairBatch, batch_idx: int) -> dict[str, Any]:
        loss = self.network.nats(*batch, smoothing=self.label_smoothing, sampling=self.scheduled_sampling)
        tokens = batch.valid.sum()
        return {"loss": loss / self._tokens_of_a_process(tokens), "nats": loss.detach(), "tokens": tokens}

    def _tokens_of_a_process(self, tokens: Tensor) -> Tensor:
        """Their mean over the processes, so that averaged gradients weigh every token of the global batch alike."""
        if self._trainer is not None and self._trainer.world_size > 1:
            tokens = self._trainer.strategy.reduce(tokens.double(), reduce_op="mean")
        return tokens.clamp(min=1)

    def on_validation_epoch_end(self) -> None:
        super().on_validation_epoch_end()
        data = self.trainer.datamodule
        pairs = data.pairs("val")[: self.bleu_sentences] if self.trainer.is_global_zero else []
        if pairs and not self.trainer.sanity_checking:
            said = self.translate([source for source, _ in pairs])
            wanted = [detokenize(self.target_codec.clean(target)) for _, target in pairs]
            self.log("val/bleu", corpus_bleu(said, wanted).value, rank_zero_only=True)

    @torch.no_grad()
    def translate(self, sentences: list[str], beam: Beam = GREEDY) -> list[str]:
        """The best translation of each sentence, greedy if nothing else is asked for."""
        training = self.training
        self.eval()
        try:
            found = translate(self.network, self.source_codec, self.target_codec, sentences, beam)
        finally:
            self.train(training)
        return [translations[0].text for translations in found]

    @staticmethod
    def shown_sources(data: ParallelData) -> list[str]:
        """A few sources, held out where there are such, from all over the part."""
        split: Literal["val", "train"] = "val" if data.has("val") else "train"
        sources = list(dict.fromkeys(source for source, _ in data.pairs(split)))
        return sources[:: max(1, len(sources) // SHOWN)][:SHOWN]

    def sample(self, data: ParallelData) -> str:
        shown = self.shown_sources(data)
        return "\n".join(f"{source} -> {text}" for source, text in zip(shown, self.translate(shown), strict=True))

    @classmethod
    def from_checkpoint(cls, checkpoint: dict[str, Any]) -> Self:
        codecs = checkpoint["seqlab"]["codec"]
        sizes = ("source_vocab_size", "target_vocab_size")
        options = {name: value for name, value in checkpoint["hyper_parameters"].items() if name not in sizes}
        return cls(Codec.from_state(codecs["source"]), Codec.from_state(codecs["target"]), **options)

    def codec_state(self) -> dict[str, object]:
        return {"source": self.source_codec.state(), "target": self.target_codec.state()}
