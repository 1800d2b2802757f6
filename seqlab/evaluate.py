"""``python -m seqlab.evaluate CKPT``: how well a trained model predicts a text."""

import math
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any, Literal, get_args

import torch

from seqlab.cli.parser import Parser, pick, run_verb, spell_choices, values_of
from seqlab.cli.recipes import data_of
from seqlab.data import DATA, TextData
from seqlab.data.parallel import ParallelData
from seqlab.data.text_files import Split
from seqlab.decoding.beam import Beam
from seqlab.errors import UserError, nearest
from seqlab.evaluate_translation import TranslationEvaluation, evaluate_translation
from seqlab.metrics import TokenLoss, bits, perplexity
from seqlab.models import load_model
from seqlab.models.translation import Seq2Seq
from seqlab.nn.language_network import LanguageNetwork
from seqlab.nn.ngram import NGram
from seqlab.runs.checkpoint import load_network, read_checkpoint
from seqlab.runs.devices import choose_device

FILES, HELD_OUT = ("path", "source_path", "target_path"), ("val_path", "test_path")
"""Options of the data that name its text, and the parts of it that are held out."""


@dataclass(frozen=True)
class Evaluation:
    """How well a model predicts a text, and what was counted.

    Args:
        corpus: Name of the corpus.
        split: Part of it.
        tokens: Tokens predicted, each once.
        unknown: How many of them are ``<unk>``.
        characters: Characters of cleaned text that the tokens stand for.
        streams: Runs that the text was read in; the state is zero at the start of each and carried to its end.
        loss: Mean cross-entropy, nats per token.
        seconds: Wall time of the pass.
    """

    corpus: str
    split: str
    tokens: int
    unknown: int
    characters: int
    streams: int
    loss: float
    seconds: float

    @property
    def perplexity(self) -> float:
        """exp of the loss."""
        return perplexity(self.loss)

    @property
    def bits_per_token(self) -> float:
        """The loss in bits."""
        return bits(self.loss)

    @property
    def bits_per_character(self) -> float:
        """All bits over all characters, comparable between tokenizations of one text."""
        return bits(self.loss * self.tokens / self.characters)

    def __str__(self) -> str:
        rows = {
            "corpus": f"{self.corpus}, {self.split} part",
            "loss": f"{self.loss:.4f} nats per token",
            "perplexity": f"{self.perplexity:.4f}",
            "bits per token": f"{self.bits_per_token:.4f}",
            "bits per character": f"{self.bits_per_character:.4f}",
            "counted": f"{self.tokens:,} tokens, each once ({self.unknown:,} of them <unk>), "
            f"standing for {self.characters:,} characters",
            "state": f"carried through {self.streams} stream{'s' * (self.streams > 1)}, zero at the start of each",
            "time": f"{self.seconds:.1f} s, {self.tokens / self.seconds:,.0f} tokens/s",
        }
        if math.isinf(self.loss):
            rows["perplexity"] += ": the text holds tokens to which the unsmoothed model gives probability 0"
        return "\n".join(f"{name:<20}{value}" for name, value in rows.items())


@torch.inference_mode()
def _measure(network: LanguageNetwork | NGram, data: TextData, split: Split, device: torch.device) -> Evaluation:
    started, total, state, unknown, streams = time.monotonic(), TokenLoss().to(device), None, 0, 0
    for batch in data.evaluation_loader(split):
        inputs, targets = batch.inputs.to(device), batch.targets.to(device)
        valid = None if batch.valid is None else batch.valid.to(device)
        nats, tokens, state = network.nats(inputs, targets, valid, state)
        total.update(nats, tokens)
        real = targets if valid is None else targets[valid]
        unknown += int((real == data.codec.vocab.unk).sum())
        streams = len(inputs)
    counted, part = int(total.tokens), data.part(split)
    characters = part.characters - len(data.codec.decode(part.ids[:1].tolist()))
    seconds = time.monotonic() - started
    loss = float(total.compute())
    return Evaluation(data.corpus_name, split, counted, unknown, characters, streams, loss, seconds)


def evaluate(
    ckpt: str,
    split: Split = "test",
    device: str = "auto",
    data: dict[str, Any] | None = None,
    beam_size: int = 5,
    length_penalty: float = 1.0,
    sentences: int | None = None,
) -> Evaluation | TranslationEvaluation:
    """Measures how well a trained model predicts a text, or translates one.

    Args:
        ckpt: Checkpoint of the model.
        split: Part of the corpus: train, val or test.
        device: auto, cpu or cuda.
        data: Options of the data that replace those the model was trained with; ``name`` chooses another corpus.
        beam_size: Hypotheses that translation keeps at every step; 1 is greedy.
        length_penalty: Exponent that translations are ranked with.
        sentences: Translate only the first so many; all if not given.

    Returns:
        The loss and what was counted; of a model that translates, BLEU and chrF too.

    Raises:
        UserError: The checkpoint or the text cannot be read.
    """
    if split not in get_args(Split):
        raise UserError(f"unknown split '{split}': {nearest(split, get_args(Split))}")
    if sentences is not None and sentences < 1:
        raise UserError(f"sentences {sentences} must be a whole number of at least 1, or left out")
    checkpoint, where = read_checkpoint(ckpt), choose_device(device)
    given = data or {}
    trained_on = checkpoint["seqlab"]["data"] or {"name": "text"}
    same = given.get("name", trained_on["name"]) == trained_on["name"]
    recipe = {**_reused(trained_on, given), **given} if same else given
    if checkpoint["seqlab"].get("kind") == "seq2seq":
        return _translation(checkpoint, recipe, split, where, Beam(beam_size, length_penalty, max_length=50), sentences)
    network, codec = load_network(checkpoint)
    corpus = data_of(recipe, TextData, codec=codec)
    return _measure(network.to(where), corpus, split, where)


def _reused(trained_on: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe that options replace parts of; the files held out of one text are not those of another."""
    elsewhere = any(given.get(key) not in (None, trained_on.get(key)) for key in FILES)
    return {key: value for key, value in trained_on.items() if not (elsewhere and key in HELD_OUT)}


def _translation(
    checkpoint: dict[str, Any],
    recipe: dict[str, Any],
    split: Split,
    device: torch.device,
    beam: Beam,
    sentences: int | None,
) -> TranslationEvaluation:
    model = load_model(checkpoint)
    assert isinstance(model, Seq2Seq)
    corpus = data_of(recipe, ParallelData, codecs=(model.source_codec, model.target_codec))
    return evaluate_translation(model, corpus, split, device, beam, sentences)


def _first_word(arguments: list[str]) -> str:
    """The first argument that is neither an option nor the value of one."""
    before = ["", *arguments]
    words = (word for word, last in zip(arguments, before, strict=False) if last[:2] != "--" or "=" in last)
    return next((word for word in words if not word.startswith("-")), "")


def _run(argv: list[str]) -> None:
    arguments = spell_choices(argv, ["data"])
    parser = Parser(prog="python -m seqlab.evaluate", description="Measures how well a trained model predicts a text.")
    parser.add_argument("ckpt", type=str, help="Checkpoint of the model.")
    parser.add_argument("--split", type=Literal["train", "val", "test"], default="test", help="Part of the corpus.")
    parser.add_argument("--device", type=str, default="auto", help="auto, cpu or cuda.")
    trained_on: dict[str, Any] = {}
    kind = None
    if ckpt := _first_word(arguments):
        record = read_checkpoint(ckpt)["seqlab"]
        trained_on, kind = record["data"] or {}, record.get("kind")
    name = pick("data", (values_of(arguments, "data.name") or [trained_on.get("name", "time_machine")])[-1], DATA)
    parser.add_argument("--data.name", type=str, default=name, metavar="NAME", help=f"{' | '.join(DATA)}.")
    reused = {"seed", "codec", "codecs", "sampling", "batch_size", "batch_tokens", "max_tokens", "max_pairs"}
    reused |= {"cleaning", "tokens", "min_freq", "num_subwords", "shared_vocab", "reverse"}
    parser.add_class_arguments(DATA[name], "data", instantiate=False, skip=reused)
    if name == trained_on.get("name"):
        files = {key: values[-1] for key in FILES if (values := values_of(arguments, f"data.{key}"))}
        kept = _reused(trained_on, files)
        parser.set_defaults({f"data.{key}": value for key, value in kept.items() if key not in reused})
    searching = ("beam_size", "length_penalty", "sentences") if kind == "seq2seq" else ()
    skipped: set[str | int] = {name for name in signature(evaluate).parameters if name not in searching}
    parser.add_function_arguments(evaluate, skip=skipped)
    options = parser.parse_sentence(arguments).as_dict()
    print(evaluate(**options))


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_verb(_run, argv)


if __name__ == "__main__":
    sys.exit(main())
