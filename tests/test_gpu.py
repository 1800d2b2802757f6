"""What is trained, measured and resumed on a GPU: ``pytest -m gpu -n 8 --dist load``; skipped where there is none.

Every cell by every backend, and every task with every kind of network and every precision, against the CPU.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from stacks import LENGTHS, OWN_BACKENDS, assert_same, everything, first_state, stack

import seqlab
from seqlab.cells import CELLS
from seqlab.decoding.sampling import Sampling, sample
from seqlab.models import TASKS
from seqlab.runs.checkpoint import read_checkpoint

Command = Callable[..., Any]

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU"),
]

TESTS = Path(__file__).parent
SAMPLES = TESTS.parent / "seqlab" / "data" / "samples"
STORY = ("text", TESTS / "fixtures" / "story.txt")
DATA = {
    "language": STORY,
    "translation": ("parallel", SAMPLES / "english_french.tsv"),
    "classification": ("labelled", SAMPLES / "questions.tsv"),
    "tagging": ("tagged", SAMPLES / "village.conll"),
    "forecasting": ("sine", None),
    "vectors": STORY,
    "images": ("digits", None),
    "strings": ("digit_strings", None),
    "regression": ("points", None),
}
SMALL = {"vectors": ("--data.tokens", "word", "--data.batch_size", "2", "--data.num_steps", "16")}
"""Options by which the data of a task fill several batches."""
FEW_CELLS = {"gru", "lstm"}
NETWORKS = [
    (task, name) for task, row in TASKS.items() for name in row.networks if name not in CELLS or name in FEW_CELLS
]
BEST, LAST = "lightning_logs/run/checkpoints/best.ckpt", "lightning_logs/run/checkpoints/last.ckpt"
FIT = ("--trainer.accelerator", "gpu", "--trainer.devices", "1", "--bar", "none", "--run", "run")


def words_of(task: str, name: str) -> list[str]:
    data, path = DATA[task]
    return ["--model", name, "--data", data, *(("--data.path", str(path)) if path else ()), *SMALL.get(task, ())]


def fit(verb: Command, *options: str) -> None:
    finished = verb("fit", *FIT, *options)
    assert finished.code == 0, finished.err


def difference(one: Any, other: Any) -> float:
    """Of the losses of two reports, relative."""
    return abs(float(one.loss) - float(other.loss)) / abs(float(one.loss))


@pytest.mark.parametrize("backend", ["torch", *OWN_BACKENDS])
@pytest.mark.parametrize("cell", CELLS)
def test_a_stack_computes_what_the_cpu_computes(cell: str, backend: str) -> None:
    if backend == "torch" and CELLS[cell].torch_name is None:
        pytest.skip("torch has no such layer")
    network = stack(cell, num_layers=2, backend=backend)
    lengths = torch.tensor(LENGTHS)
    expected = everything(network, first_state(network), lengths)
    expected = {name: value.clone() for name, value in expected.items() if value is not None}
    found = everything(network.cuda(), tuple(part.cuda() for part in first_state(network)), lengths.cuda())
    assert_same({name: value.cpu() for name, value in found.items() if value is not None}, expected, 1e-10)


@pytest.mark.parametrize(("task", "name"), NETWORKS)
def test_every_network_is_trained_and_measured_as_on_the_cpu(task: str, name: str, verb: Command, here: Path) -> None:
    fit(verb, *words_of(task, name), "--trainer.max_steps", "6")
    checkpoint = BEST if Path(BEST).exists() else LAST
    on_gpu, on_cpu = (seqlab.evaluate(checkpoint, device=device) for device in ("cuda", "cpu"))
    assert difference(on_cpu, on_gpu) < 1e-4


@pytest.mark.parametrize("precision", ["16-mixed", "bf16-mixed", "64-true"])
@pytest.mark.parametrize(
    ("task", "name"), [each for each in NETWORKS if each[1] in {*FEW_CELLS, "transformer", "mlp", "seq2seq", "cnn"}]
)
def test_every_precision(task: str, name: str, precision: str, verb: Command, here: Path) -> None:
    losses, options = [], TASKS[task].networks[name].options
    noise = [one for one in ("dropout", "word_dropout") if hasattr(options, one)]  # is drawn anew in each precision
    drawn = [word for one in noise for word in (f"--model.{one}", "0")]
    for steps, asked in (("1", "32-true"), ("30", "32-true"), ("30", precision)):
        words = (*words_of(task, name), *drawn, "--trainer.max_steps", steps, "--trainer.precision", asked)
        fit(verb, *words, "--lr_scheduler", "none", "--overwrite")
        losses.append(float(seqlab.evaluate(LAST, device="cpu").loss))
    begun, reached, mixed = losses
    skipped = precision == "16-mixed"  # steps, until the scale of gradients is small enough
    assert abs(mixed - reached) < (0.5 if skipped else 0.1) * (begun - reached)


@pytest.mark.parametrize(
    ("task", "name"),
    [
        *(("language", "gru"), ("language", "lstm_peephole"), ("language", "transformer"), ("translation", "seq2seq")),
        *(("translation", "transformer"), ("tagging", "lstm"), ("forecasting", "gru")),
    ],
)
def test_a_resumed_run_ends_as_one_that_was_not_interrupted(task: str, name: str, verb: Command, here: Path) -> None:
    words = [*words_of(task, name), "--trainer.max_epochs", "2", "--ckpt_every", "2"]
    words += ["--trainer.limit_train_batches", "8"]
    if name == "transformer":
        words += ["--lr_scheduler.total_steps", "16"]
    fit(verb, *words)
    whole = read_checkpoint(LAST)["state_dict"]
    fit(verb, *words, "--trainer.max_steps", "5", "--overwrite")
    finished = verb("fit", "--ckpt_path", "last", "--run", "run", "--trainer.max_steps", "-1")
    assert finished.code == 0, finished.err
    for key, weights in read_checkpoint(LAST)["state_dict"].items():
        assert torch.equal(weights, whole[key]), key


def test_text_is_drawn_as_on_the_cpu(verb: Command, here: Path) -> None:
    for name in ("gru", "transformer", "mlp"):
        fit(verb, *words_of("language", name), "--trainer.max_steps", "20", "--overwrite")
        network = seqlab.load(LAST).network.double()
        prefix = torch.tensor([[2, 3, 4], [5, 6, 7]])
        sampling = Sampling(temperature=0.9, top_k=8, top_p=0.95)
        on_cpu = torch.stack([*sample(network, prefix, 30, sampling, (0, 1))])
        on_gpu = torch.stack([*sample(network.cuda(), prefix.cuda(), 30, sampling, (0, 1))])
        assert on_gpu.cpu().equal(on_cpu), name


@pytest.mark.parametrize("name", ["seq2seq", "transformer"])
def test_beams_are_those_of_the_cpu(name: str, verb: Command, here: Path) -> None:
    fit(verb, *words_of("translation", name), "--trainer.max_steps", "20")
    asked = ["go .", "the dog runs .", "i am here ."]
    texts = []
    for device in ("cpu", "cuda"):
        model = seqlab.load(LAST).double().to(device)
        texts.append([str(each) for each in model.predict(asked)])
    assert texts[0] == texts[1]


def test_verbs_use_the_gpu_when_nothing_is_said(verb: Command, here: Path) -> None:
    words = words_of("language", "gru")
    finished = verb("fit", *words, "--trainer.max_steps", "4", "--run", "run", "--bar", "none")
    assert finished.code == 0, finished.err
    assert read_checkpoint(LAST)["seqlab"] is not None
    for name, *options in (
        ("evaluate", LAST),
        ("generate", LAST, "--num_tokens", "5"),
        ("predict", LAST, "the"),
        ("inspect", LAST, "--output", "figures"),
        ("memory", "--model", "gru", "--hidden_size", "8", "--task", "copy", "--lengths", "5", "--max_steps", "3"),
    ):
        finished = verb(name, *options)
        assert finished.code == 0, (name, finished.err)
