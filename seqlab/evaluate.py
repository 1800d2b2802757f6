"""``python -m seqlab.evaluate CKPT``: how well a trained model predicts a text."""

import math
import sys
import time
from dataclasses import dataclass
from inspect import signature
from typing import Any, Literal, get_args

import torch

from seqlab.checkpoint import load_network, read_checkpoint
from seqlab.data import DATA, TextData
from seqlab.data.corpus import Split
from seqlab.errors import UserError, nearest
from seqlab.metrics import TokenLoss, bits
from seqlab.nn.language_network import LanguageNetwork
from seqlab.nn.ngram import NGram
from seqlab.parser import Parser, pick, run_verb, spell_choices, values_of
from seqlab.text.codec import Codec


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
        return math.exp(self.loss)

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


def _data(recipe: dict[str, Any], codec: Codec) -> TextData:
    kind = DATA[pick("data", recipe["name"], DATA)]
    options = {key: value for key, value in recipe.items() if key != "name"}
    known = [*signature(TextData).parameters]
    if unknown := next((key for key in options if key not in known), None):
        raise UserError(f"unknown option of the data '{unknown}': {nearest(unknown, known)}")
    return kind(**options, codec=codec)


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


def evaluate(ckpt: str, split: Split = "test", device: str = "auto", data: dict[str, Any] | None = None) -> Evaluation:
    """Measures how well a trained model predicts a text.

    Args:
        ckpt: Checkpoint of the model.
        split: Part of the corpus: train, val or test.
        device: auto, cpu, cuda or mps.
        data: Options of the data that replace those the model was trained with; ``name`` chooses another corpus.

    Returns:
        The loss and what was counted.

    Raises:
        UserError: The checkpoint or the text cannot be read.
    """
    if split not in get_args(Split):
        raise UserError(f"unknown split '{split}': {nearest(split, get_args(Split))}")
    checkpoint = read_checkpoint(ckpt)
    network, codec = load_network(checkpoint)
    given = data or {}
    trained_on = checkpoint["seqlab"]["data"] or {"name": "text"}
    recipe = {**trained_on, **given} if given.get("name", trained_on["name"]) == trained_on["name"] else given
    where = _device(device)
    return _measure(network.to(where), _data(recipe, codec), split, where)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=name)
        return torch.device(name)
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"device '{name}' cannot be used here: {str(error).splitlines()[0]}; give --device cpu"
        ) from None


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
    parser.add_argument("--device", type=str, default="auto", help="auto, cpu, cuda or mps.")
    trained_on: dict[str, Any] = {}
    if ckpt := _first_word(arguments):
        trained_on = read_checkpoint(ckpt)["seqlab"]["data"] or {}
    name = pick("data", (values_of(arguments, "data.name") or [trained_on.get("name", "time_machine")])[-1], DATA)
    parser.add_argument("--data.name", type=str, default=name, metavar="NAME", help=f"{' | '.join(DATA)}.")
    reused = {"seed", "codec", "sampling", "batch_size", "max_tokens", "cleaning", "tokens", "min_freq", "num_subwords"}
    parser.add_class_arguments(DATA[name], "data", instantiate=False, skip=reused)
    if name == trained_on.get("name"):
        parser.set_defaults({f"data.{key}": value for key, value in trained_on.items() if key not in reused})
    config = parser.parse_sentence(arguments)
    print(evaluate(config.ckpt, config.split, config.device, config.data.as_dict()))


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_verb(_run, argv)


if __name__ == "__main__":
    sys.exit(main())
