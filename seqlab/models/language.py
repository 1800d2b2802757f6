"""Language models: they predict a text token by token, by a network or by counts."""

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, cast

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor

from seqlab.analysis.attention_inspection import inspect_attention
from seqlab.analysis.inspection import LanguageInspection, inspect_network
from seqlab.analysis.projection import Method
from seqlab.analysis.text_to_read import ids_of
from seqlab.analysis.word_in_context import WordInContext, inspect_word, known_word
from seqlab.data.data_module import DataModule
from seqlab.data.parts import Split
from seqlab.data.streams import TextBatch
from seqlab.data.text import TextData
from seqlab.decoding.text import continue_text
from seqlab.errors import UserError
from seqlab.metrics import PERPLEXITY, Measure
from seqlab.models.language_measured import measured
from seqlab.models.language_report import LanguageReport
from seqlab.models.model import Model
from seqlab.models.pretrained import start_from_vectors
from seqlab.models.window import Sums
from seqlab.nn.beside_ngrams import BesideNGrams
from seqlab.nn.evaluating import evaluating
from seqlab.nn.language_network import LanguageNetwork
from seqlab.nn.next_token import NextToken
from seqlab.nn.ngram import NGram
from seqlab.nn.transformer_language import TransformerLanguage
from seqlab.recurrence.state import AnyState, mapped
from seqlab.text.codec import Codec
from seqlab.text.vocab import BOS
from seqlab.views.attention_watch import AttentionWatch
from seqlab.views.gates import RecurrenceWatch
from seqlab.views.projector import EmbeddingView
from seqlab.views.samples import TextSamples

SAMPLE_TOKENS = 200
LOOK_EVERY = 200
"""Optimizer steps between two views of the recurrence, or two samples, so that the views cost little."""


class Continuation(NamedTuple):
    """A prefix, and the text that begins with it and continues it."""

    prefix: str
    text: str

    def __str__(self) -> str:
        return self.text


class LanguageModel(Model):
    """A model that predicts each token of a text from the tokens before it.

    If a batch continues the one before it, the state is carried over, detached (truncated backpropagation through
    time). The only codec is ``text``.
    """

    task: ClassVar[str] = "language"
    says: ClassVar[str] = "language model"
    unit: ClassVar[str] = "tokens"
    counted: ClassVar[tuple[str, ...]] = ("network.counts.",)
    loss_unit: ClassVar[str] = "nats per token"
    measures: Mapping[str, Measure] = {"perplexity": PERPLEXITY}
    network: NextToken | NGram

    def build(self) -> NextToken | NGram:
        self._carry: dict[str, AnyState] = {}
        made = cast(NextToken | NGram, super().build())
        start_from_vectors(self, made, self.codec)
        return made

    @property
    def codec(self) -> Codec:
        """The codec of the text."""
        return self.codec_named("text", Codec)

    @property
    def neural(self) -> NextToken | NGram:
        """The network without the n-grams beside it."""
        return self.network.network if isinstance(self.network, BesideNGrams) else self.network

    def forward(self, ids: Tensor, state: AnyState | None = None) -> tuple[Tensor, AnyState]:
        """Logits ``(batch, time, vocab_size)`` of the token after each of ``ids`` ``(batch, time)``, and the state."""
        logits, state = self.network(ids, state)
        return logits, state

    def loss(self, batch: TextBatch, stage: str) -> Sums:
        device, carried = batch.inputs.device, self._carry.get(stage) if batch.continues else None
        if carried and self.neural.num_rows(carried) != len(batch.inputs):
            carried = None  # a resumed run may have batches of another size
        before = None if carried is None else mapped(carried, lambda part: part.to(device))
        nats, tokens, state = self.network.nats(batch.inputs, batch.targets, batch.valid, before)
        self._carry[stage] = self.network.cast(self.network.detached(state))
        return Sums(nats, tokens)

    def penalty(self) -> Tensor | None:
        if not (weight := getattr(self.options, "l1", 0.0)):
            return None
        return weight * torch.stack([part.abs().sum() for part in self.network.parameters()]).sum()

    def count(self, data: DataModule) -> None:
        assert isinstance(data, TextData)
        counts = self.network.counts if isinstance(self.network, BesideNGrams) else self.network
        assert isinstance(counts, NGram)
        begin = self.codec.vocab.id_of(BOS) if self.codec.line_begins else None
        counts.count(data.part("train").ids, begin)

    def forget(self) -> None:
        self._carry = {}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        carried = self._carry.get("train") or None
        if carried is not None and self._trainer is not None and self._trainer.world_size > 1:
            of_all = mapped(carried, self.all_gather)
            ranks = range(self._trainer.world_size)
            carried = self.neural.gathered([mapped(of_all, lambda part, r=rank: part[r]) for rank in ranks])
        checkpoint["seqlab"]["carry"] = carried

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        carried = checkpoint["seqlab"].get("carry")
        if carried is not None and self._trainer is not None and self._trainer.world_size > 1:
            rows = torch.arange(self.neural.num_rows(carried)).chunk(self._trainer.world_size)
            carried = self.neural.of_rows(carried, rows[self._trainer.global_rank])
        self._carry = {} if carried is None else {"train": carried}

    @torch.inference_mode()
    def evaluate(
        self, data: DataModule, split: Split = "test", items: bool = False, *, stride: int | None = None
    ) -> LanguageReport:
        """Measures the prediction of one part of a text, with every token once and the state carried.

        Args:
            data: The text, with this model's codec.
            split: Part of the data.
            items: Whether the report also has results for each run of 100 tokens, or for each line.
            stride: Tokens from one window of a Transformer to the next; as in training if not given. With a smaller
                stride each token sees more tokens, and evaluation takes longer.

        Raises:
            UserError: The data are no text, or the stride does not fit the model's window.
        """
        with self._striding(stride), evaluating(self):
            if not isinstance(data, TextData):
                raise UserError("a language model is measured on a text; give --data text or the name of one")
            self.check_finite()
            return measured(self.network, self.codec, data, split, items, self.device)

    @contextmanager
    def _striding(self, stride: int | None) -> Iterator[None]:
        """A context with this stride between windows."""
        if stride is None:
            yield
            return
        network = self.neural
        if not isinstance(network, TransformerLanguage) or (window := network.window) is None:
            raise UserError(f"stride {stride} is for windows, and this model has none; leave out --stride")
        if not 1 <= stride <= window:
            raise UserError(f"stride {stride} must be at least 1 and at most the window of {window} tokens")
        before, network.stride = network.stride, stride
        try:
            yield
        finally:
            network.stride = before

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
            seed: Random seed of the first sample; the next ones take the next seeds.
            num_samples: Number of continuations, decoded together; if not given, one, as a text instead of a list.

        Returns:
            The prefix with its continuation, for each sample.

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
        """``generate`` as an iterator: the texts so far after every token."""
        if num_samples < 1:
            raise UserError(f"num_samples {num_samples} must be a whole number of at least 1")
        self.check_finite()
        seeds = range(seed, seed + num_samples)
        asked = prefix, num_tokens, temperature, top_k, top_p
        yield from continue_text(self.network, self.codec, *asked, seeds=seeds, streaming=streaming)

    def overflow(self, tokens: int) -> str | None:
        """A sentence about how many tokens each token sees, if it is not all of them."""
        if not isinstance(self.neural, TransformerLanguage):
            return None
        most = self.neural.most_before()
        if most is None or tokens - 1 <= most:
            return None
        return (
            f"of {tokens:,} tokens each sees at most the {most:,} before it, as in training; train with a larger "
            "--data.num_steps or --model.memory to have it see more"
        )

    def state_size(self, samples: int, tokens: int) -> str:
        """Size of the state of so many samples after so many tokens, in bytes, as words."""
        taken = self.network.state_bytes(samples, tokens)
        return f"state of {samples:,} sample{'s' * (samples > 1)}: {taken:,} bytes after {tokens:,} tokens"

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
            num_tokens: Tokens to draw for each text.
            temperature: Divides the logits; 0 takes the most likely token.
            top_k: Draw among the k most likely tokens only.
            top_p: Draw among the fewest tokens whose probabilities sum to at least p.
            seed: Random seed, the same for each text.
        """
        for prefix in inputs:
            (texts,) = self.stream(prefix, num_tokens, temperature, top_k, top_p, seed, streaming=False)
            yield Continuation(prefix, texts[0])

    def inspect(
        self,
        data: Callable[[], DataModule],
        *,
        text: str | None = None,
        num_steps: int = 64,
        word: str | None = None,
        projection: Method = "pca",
    ) -> LanguageInspection | WordInContext:
        """Shows what a recurrence does with its memory, or what attention looks at, while the model reads.

        Args:
            data: The corpus that the model was trained on.
            text: Text to read, or a UTF-8 file of it; if not given, the held-out part of that corpus.
            num_steps: Steps to follow gradients back.
            word: Instead, compare the states at the places of this word, and its static vector.
            projection: Projection of these states in the figure: pca, or tsne, which needs scikit-learn.

        Raises:
            UserError: The model has neither recurrence nor attention, or the text is too short or lacks the word twice.
        """
        network = self.neural
        if not isinstance(network, LanguageNetwork | TransformerLanguage):
            held = "n-grams" if isinstance(network, NGram) else "a window MLP"
            raise UserError(
                f"{self.run} holds {held}, with no recurrence and no attention to look at; give a recurrent model or a "
                "Transformer"
            )
        self.check_finite()
        if word is not None:
            word = known_word(self.codec, word, self.run)
        if text is not None:
            ids, source = ids_of(self.codec, text)
        else:
            corpus = data()
            assert isinstance(corpus, TextData)
            split = corpus.last_part
            ids, source = corpus.part(split).ids, f"{corpus.corpus_name}, {split} part"
        if word is not None:
            read = torch.from_numpy(ids.astype(np.int64))
            return inspect_word(network, self.codec, read, word, self.run, source, projection)
        if isinstance(network, TransformerLanguage):
            return inspect_attention(network, self.codec, ids, num_steps, self.run, source)
        return inspect_network(network, self.codec, ids, num_steps, self.run, source)

    def sample(self, data: DataModule) -> str:
        try:
            return str(self.generate(data.prompt or "", num_tokens=SAMPLE_TOKENS))
        except UserError as error:  # an unsmoothed n-gram model reached a dead end
            return f"({error})"

    def views(self, data: DataModule, folder: Path, pictures: bool) -> list[pl.Callback]:
        every = 1 if pictures else LOOK_EVERY
        shown: list[pl.Callback] = []
        if data.prompt is not None:
            shown.append(TextSamples(data.prompt, every=every))
        if isinstance(self.neural, LanguageNetwork):
            shown.append(RecurrenceWatch(folder, pictures, every))
        if isinstance(self.neural, TransformerLanguage):
            shown.append(AttentionWatch(pictures, every))
        if isinstance(self.network, NextToken):
            shown.append(EmbeddingView())
        return shown

    def command(self, data: DataModule, checkpoint: str) -> str:
        prefix = f" --prefix {shlex.quote(data.prompt)}" if data.prompt else ""
        return f"python -m seqlab.generate {checkpoint}{prefix}"

    def flops_per_item(self) -> int:
        """Operations of the forward pass, and twice as many for the backward pass."""
        return 3 * sum(self.network.flops().values()) if isinstance(self.network, NextToken) else 0

    def export(self, *, format: Literal["safetensors", "onnx"] = "safetensors") -> bytes:
        """The weights, or the whole network, for other programs.

        Args:
            format: safetensors (the weights), or onnx (the network for any batch and time). The onnx network reads and
                returns the state: that of a recurrence, or the keys and values of a Transformer.

        Returns:
            The content of a file. Its metadata hold ``task`` and ``model``, and as JSON ``options`` and ``codecs``. An
            onnx file also has ``first_state``: the parts ``(layers, hidden_size)`` of a learned initial state, ``{}``
            for a zero state.
        """
        if format == "safetensors":
            return super().export()
        self.check_finite()
        if isinstance(self.network, BesideNGrams):
            raise UserError(
                "format onnx holds no n-grams, and this model has some beside its network (--model.counts); leave out "
                "--format onnx for the weights as safetensors"
            )
        if isinstance(self.network, TransformerLanguage):
            from seqlab.nn.onnx_cache import cached_onnx_bytes

            return cached_onnx_bytes(self.network, self.export_metadata())
        if isinstance(self.network, LanguageNetwork):
            from seqlab.nn.onnx_step import onnx_bytes

            return onnx_bytes(self.network, self.export_metadata())
        raise UserError(
            "format onnx is for recurrent language models and Transformers; leave out --format onnx for the weights as "
            "safetensors"
        )
