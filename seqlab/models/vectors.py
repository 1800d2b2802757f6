"""Word vectors: neighbours of words, and initial vectors for other tasks."""

import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

import lightning.pytorch as pl
import numpy as np
import torch
from torch import nn

from seqlab.analysis.projection import Method
from seqlab.analysis.vectors_inspection import VectorsInspection, content_words, inspect_vectors
from seqlab.analysis.word_knowledge import answer_analogies, rank_similarity
from seqlab.analysis.word_queries import Nearby, WordSpace
from seqlab.data.data_module import DataModule
from seqlab.data.parts import Split
from seqlab.data.streams import TextBatch
from seqlab.data.text import TextData
from seqlab.errors import UserError
from seqlab.metrics import MeanLoss, Measure, ratio
from seqlab.models.continued import Continued, continue_from
from seqlab.models.model import Codecs, Model
from seqlab.models.vectors_report import VectorsReport
from seqlab.models.window import Sums
from seqlab.nn.evaluating import evaluating
from seqlab.nn.skipgram import SkipGram
from seqlab.nn.word_vectors import Told, WordVectors
from seqlab.text.codec import Codec
from seqlab.text.phrases import PhraseTokenizer
from seqlab.text.vector_files import WRITERS
from seqlab.text.word_questions import read_analogies, read_similarity
from seqlab.views.projector import EmbeddingView

SHOWN = 5
"""Words to show with their neighbours at the end of training."""
PASS_LOSS = "val/loss_by_pass"
"""Log name of the validation loss after each pass over co-occurrences."""


def _mean(model: Any) -> MeanLoss:
    return MeanLoss()


class WordVectorModel(Model):
    """A model of word vectors. Its only codec is ``text``, whose tokens are words.

    A pair of words near each other is an item. Its loss is the cross-entropy of separating it from noise. Counted
    models have the same loss, so that all models can be compared.
    """

    task: ClassVar[str] = "vectors"
    says: ClassVar[str] = "model of word vectors"
    unit: ClassVar[str] = "pairs"
    loss_unit: ClassVar[str] = "nats per pair"
    measures: Mapping[str, Measure] = {"auc": Measure("AUC", "{:.2%}", "higher", _mean, ratio("ranked", "pairs"))}
    network: Any
    passes: list[float]
    """Validation loss after each pass over the counts."""
    _continued: Continued | None

    @classmethod
    def network_of(cls, options: Any, codecs: Codecs) -> nn.Module:
        codec = codecs["text"]
        assert isinstance(codec, Codec)
        made: nn.Module = options.build(torch.tensor(occurrences(codec)), tokens_of(codec))
        return made

    def build(self) -> nn.Module:
        made, self._continued, self.passes = super().build(), None, []
        if (where := getattr(self.options, "vectors", None)) is not None:
            self._continued = continue_from(cast(SkipGram, made), where, self.name, self.codec.vocab)
            self.loaded.append(self._continued.said)
        return made

    def configure_optimizers(self) -> Any:
        made = super().configure_optimizers()
        if self._continued is not None:
            self._continued.carry(made["optimizer"] if isinstance(made, dict) else made, self.network)
        return made

    @property
    def codec(self) -> Codec:
        """The codec of the text."""
        return self.codec_named("text", Codec)

    def loss(self, batch: TextBatch, stage: str) -> Sums:
        if stage == "train" and self.options.by_gradients:
            return Sums(*self.network.nats(batch.inputs, batch.valid))
        told = self._told(batch, ranks=False)
        rest = sum(part.sum() for part in self.parameters() if not part.numel())  # a Trainer calls backward on it
        return Sums(told.nats + rest, told.pairs)

    def score(self, batch: TextBatch, metrics: Any, stage: str) -> None:
        told = self._told(batch)
        metrics["loss"].update(told.nats, told.pairs)
        metrics["auc"].update(told.ranked, told.pairs)

    def _told(self, batch: TextBatch, ranks: bool = True) -> Told:
        network: WordVectors = self.network
        valid = None if batch.valid is None else batch.valid.to(self.device)
        with evaluating(network):
            return network.told(batch.inputs.to(self.device), valid, ranks)

    def count(self, data: DataModule) -> None:
        assert isinstance(data, TextData)
        ids = torch.from_numpy(np.asarray(data.part("train").ids).astype(np.int64))
        self.network.count(ids, partial(self._after_pass, data) if data.has("val") else None)

    def _after_pass(self, data: TextData) -> None:
        """Measures and logs the loss of the validation part."""
        told = [self._told(batch, ranks=False) for batch in data.evaluation_loader("val")]
        nats, pairs = sum(float(one.nats) for one in told), sum(int(one.pairs) for one in told)
        self.passes.append(nats / max(1, pairs))
        for logger in self.trainer.loggers if self._trainer is not None else ():
            logger.log_metrics({PASS_LOSS: self.passes[-1]}, len(self.passes))

    def evaluate(
        self,
        data: DataModule,
        split: Split = "test",
        items: bool = False,
        *,
        analogies: str | None = None,
        similarity: str | None = None,
    ) -> VectorsReport:
        """Measures how well the vectors separate pairs of one part from noise, and what they know about words.

        Args:
            data: The text, with this model's codec.
            split: Part of the data.
            items: Whether the report also has results for each batch.
            analogies: File of questions, four words per line, with sections as ": name".
            similarity: File of pairs, two words and a score per line.
        """
        if not isinstance(data, TextData):
            raise UserError("word vectors are measured on a text; give --data text or the name of one")
        self.check_finite()
        started, rows = time.monotonic(), []
        asked = None if analogies is None else read_analogies(Path(analogies))
        judged = None if similarity is None else read_similarity(Path(similarity))
        for batch in data.evaluation_loader(split):
            told = self._told(batch)
            rows.append([float(one) for one in told])
        nats, pairs, ranked = np.array(rows).sum(0)
        if not pairs:
            raise UserError(f"the {split} part holds no two known words near each other; give more text")
        space = self.space()
        names = ("nats", "pairs", "ranked")
        columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
        return VectorsReport(
            corpus=data.corpus_name,
            split=split,
            loss=nats / pairs,
            count=int(pairs),
            measures={"auc": ranked / pairs},
            items={"item": [*range(len(rows))], **columns} if items else {},
            analogies=None if asked is None else answer_analogies(space, asked),
            similarity=None if judged is None else rank_similarity(space, judged),
            seconds=time.monotonic() - started,
        )

    def predict(self, inputs: Iterable[str], *, neighbours: int = 10) -> Iterator[Nearby]:
        """The words nearest to each of several words, or to sums of words.

        Args:
            inputs: Queries such as "king", or "king - man + woman".
            neighbours: Number of words.
        """
        self.check_finite()
        space = self.space()
        for query in inputs:
            yield space.near(self._phrased(query), neighbours)._replace(query=query)

    def _phrased(self, query: str) -> str:
        """A query with the words of phrases joined: new york is new_york."""
        tokenizer = self.codec.tokenizer
        return " ".join(tokenizer.phrased(query.split())) if isinstance(tokenizer, PhraseTokenizer) else query

    def inspect(
        self,
        data: Callable[[], DataModule],
        *,
        words: str | None = None,
        neighbours: int = 10,
        projection: Method = "pca",
    ) -> VectorsInspection:
        """Shows the neighbours of words and a picture of them; for several runs (seeds), their shared neighbours.

        Args:
            data: Not used.
            words: Words separated by commas, such as king,queen; the most frequent content words if not given.
            neighbours: Number of neighbours to list for each word.
            projection: Projection in the figure: pca, or tsne, which needs scikit-learn.

        Raises:
            UserError: A word has no vector.
        """
        self.check_finite()
        space = self.space()
        model = f"{self.name}, {len(space.words):,} words of {space.vectors.shape[1]:,} numbers"
        return inspect_vectors(space, words, neighbours, projection, self.run, model)

    def space(self) -> WordSpace:
        """The words and their vectors."""
        known = torch.tensor(occurrences(self.codec)) > 0
        words = [word for word, one in zip(tokens_of(self.codec), known.tolist(), strict=True) if one]
        return WordSpace(words, self.network.vectors().cpu()[known], self.codec.clean, self.network.unseen)

    def sample(self, data: DataModule) -> str:
        space = self.space()
        words = content_words(space.words)[:SHOWN]
        return "\n".join(f"{word}: {space.near_word(word, SHOWN)}" for word in words)

    def remarks(self, measured: Mapping[str, float]) -> list[str]:
        if self.passes:
            losses = ", ".join(f"{loss:.4f}" for loss in self.passes)
            return [f"Validation loss after each pass ({self.loss_unit}): {losses}"]
        if not self.options.by_gradients or self.network.compiled():
            return []
        return [
            "Plain torch trained these vectors; on another number of threads it may give other last digits, which "
            "compiled code does not."
        ]

    def views(self, data: DataModule, folder: Path, pictures: bool) -> list[pl.Callback]:
        return [EmbeddingView(self.network.vectors)]

    def command(self, data: DataModule, checkpoint: str) -> str:
        return f"python -m seqlab.predict {checkpoint} {shlex.quote(content_words(self.space().words)[0])}"

    def export(
        self, *, format: Literal["safetensors", "word2vec", "word2vec_binary", "glove"] = "safetensors"
    ) -> bytes:
        """The weights, or the vectors of words for other programs and for ``--model.vectors``.

        Args:
            format: safetensors (the weights), or word2vec (text), word2vec_binary or glove (a vector for each word).

        Returns:
            The content of a file.
        """
        if format == "safetensors":
            return super().export()
        self.check_finite()
        space = self.space()
        return WRITERS[format](space.words, space.vectors.numpy())


def tokens_of(codec: Codec) -> list[str]:
    """The token of each id."""
    tokens: list[str] = codec.vocab.tokens(range(codec.vocab_size))
    return tokens


def occurrences(codec: Codec) -> list[int]:
    """Occurrences of each word in the training part ``(vocab_size,)``; 0 for reserved tokens and white space.

    Raises:
        UserError: The training part has fewer than two words.
    """
    vocab = codec.vocab
    counts = [max(1, count) if token.strip() else 0 for token, count in vocab.frequencies]
    if sum(count > 0 for count in counts) < 2:
        raise UserError(
            "word vectors need two words with enough occurrences in the training part; lower --data.min_freq or give "
            "more text"
        )
    return [0] * len(vocab.reserved) + counts
