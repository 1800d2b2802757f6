"""A task of one class and one row goes through every verb that it has, so that none knows a task by name."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import MeanMetric

import seqlab
from seqlab.data.data_module import DataModule
from seqlab.data.streams import TextBatch
from seqlab.errors import UserError
from seqlab.metrics import MeanLoss, Measure, Report
from seqlab.models import TASKS, Network, Task
from seqlab.models.model import Model
from seqlab.models.window import Sums
from seqlab.options import Options, option
from seqlab.runs.checkpoint import read_checkpoint

Command = Callable[..., Any]
STORY = str(Path(__file__).parent / "fixtures" / "story.txt")
LAST = "lightning_logs/toy/checkpoints/last.ckpt"
BEST = "lightning_logs/toy/checkpoints/best.ckpt"
FIT = (
    *("--model", "parity", "--data", "text", "--data.path", STORY, "--data.batch_size", "4", "--data.num_steps", "8"),
    *("--trainer.accelerator", "cpu", "--trainer.max_epochs", "2", "--optimizer.lr", "0.05", "--run", "toy"),
    *("--monitor", "val/accuracy"),
)


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
        "accuracy": Measure("accuracy", "{:.2%}", "higher", metric=lambda model: MeanMetric())
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


@pytest.fixture(autouse=True)
def row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TASKS, "parity", Task(ParityModel, data=("text",), networks={"parity": Network(ParityOptions)}))


@pytest.fixture
def run(verb: Command) -> str:
    """What a fit of two epochs said."""
    finished = verb("fit", *FIT)
    assert finished.code == 0, finished.err
    return str(finished.out)


def test_fit(run: str) -> None:
    assert run.startswith("parity (90 parameters) on story: ")
    assert "best validation accuracy " in run
    assert f"python -m seqlab.evaluate {BEST}" in run
    assert "bar to beat" not in run
    result = json.loads(Path("lightning_logs/toy/result.json").read_text())
    assert (result["task"], result["model"], result["monitor"]) == ("parity", "parity", "val/accuracy")
    assert 0.5 < result["metrics"]["best/val_accuracy"] <= 1
    checkpoint = read_checkpoint(BEST)
    assert checkpoint["seqlab"]["task"] == "parity"
    assert checkpoint["hyper_parameters"]["options"] == {"spread": 0.1}


def test_its_options_are_those_of_the_command_line(refusal: Command, verb: Command) -> None:
    assert refusal("fit", *FIT, "--model.spread", "-1") == "spread -1.0 must be above 0"
    assert refusal("fit", *FIT, "--model.hidden_size", "3").startswith("unknown option --model.hidden_size")
    assert refusal("fit", "--model", "parity", "--data", "fra_eng").startswith("--model parity does not read")
    known = "monitor 'val/perplexity' is none of what validation measures: "
    assert refusal("fit", *FIT, "--monitor", "val/perplexity").startswith(known)
    assert "Standard deviation of the first scores. [0.1]" in verb("fit", *FIT[:4], "--help").out


def test_resume(run: str, verb: Command) -> None:
    assert verb("fit", "--ckpt_path", "last", "--trainer.max_epochs", "3").code == 0
    assert verb("fit", *FIT, "--run", "whole", "--trainer.max_epochs", "3").code == 0
    resumed, whole = (read_checkpoint(path) for path in (LAST, LAST.replace("toy", "whole")))
    assert resumed["global_step"] == whole["global_step"]
    assert torch.equal(resumed["state_dict"]["network.weight"], whole["state_dict"]["network.weight"])


def test_evaluate(run: str, verb: Command) -> None:
    report = seqlab.evaluate(BEST, split="val")
    result = json.loads(Path("lightning_logs/toy/result.json").read_text())
    assert report.measures["accuracy"] == pytest.approx(result["metrics"]["best/val_accuracy"], rel=1e-6)
    assert report.loss == pytest.approx(result["metrics"]["best/val_loss"], rel=1e-6)
    printed = verb("evaluate", BEST, "--split", "val", "--items", "items.tsv", "--scale", "2")
    assert printed.code == 0, printed.err
    assert f"{2 * report.loss:.4f}" in printed.out
    right = [line.split("\t")[1] for line in Path("items.tsv").read_text().splitlines()]
    assert right[0] == "right"
    assert right.count("1") / (len(right) - 1) == pytest.approx(report.measures["accuracy"])
    with pytest.raises(UserError, match=r"^unknown option 'beam_size' of evaluate: choose one of scale$"):
        seqlab.evaluate(BEST, beam_size=3)


def test_predict(run: str, verb: Command) -> None:
    texts = ["the dog", "a lamp"]
    found = seqlab.predict(BEST, texts)
    assert [one.text for one in found] == texts
    assert verb("predict", BEST, *texts).out.splitlines() == [str(one) for one in found]
    assert verb("predict", BEST, *texts, "--least", "0").out == "odd\nodd\n"
    rows = [json.loads(line) for line in verb("predict", BEST, *texts, "--format", "json").out.splitlines()]
    assert rows == [one._asdict() for one in found]


def test_load(run: str) -> None:
    model = seqlab.load(BEST)
    assert isinstance(model, ParityModel)
    assert (model.name, model.run, model.training) == ("parity", "toy", False)
    assert [str(one) for one in model.predict(["the"])] == [str(one) for one in seqlab.predict(BEST, "the")]


def test_verbs_that_it_has_not(run: str, verb: Command) -> None:
    for name in ("generate", "inspect", "translate"):
        finished = verb(name, BEST)
        able = "it can evaluate, predict, export"
        assert (finished.code, finished.err) == (
            2,
            f"seqlab: {BEST} holds a model of parity, which does not {name}; {able}\n",
        )
    pytest.importorskip("safetensors")
    assert verb("export", BEST).code == 0
