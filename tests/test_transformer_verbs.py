"""Transformers and the window MLP go through the verbs as recurrences do."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import seqlab
from seqlab.data.text import TextData
from seqlab.fit import main
from seqlab.models import TASKS
from seqlab.runs.checkpoint import read_checkpoint

Command = Callable[..., Any]

STORY = str(Path(__file__).parent / "fixtures" / "story.txt")
PAIRS = str(Path(__file__).parents[1] / "seqlab" / "data" / "samples" / "english_french.tsv")
TEXT = ("--data", "text", "--data.path", STORY, "--data.batch_size", "8", "--data.num_steps", "16")
SMALL = ("--model", "transformer", "--model.hidden_size", "16", "--model.num_layers", "2", "--model.num_heads", "2")
CPU = ("--trainer.accelerator", "cpu", "--trainer.max_epochs", "2", "--bar", "none", "--watch", "none", "--run", "t")
BEST = "lightning_logs/t/checkpoints/best.ckpt"
LAST = "lightning_logs/t/checkpoints/last.ckpt"


def fit(verb: Command, *options: str) -> str:
    finished = verb("fit", *CPU, *options)
    assert finished.code == 0, finished.err
    return str(finished.out)


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the runs of a small Transformer."""
    folder = tmp_path_factory.mktemp("trained")
    assert main([*CPU, *SMALL, *TEXT, "--trainer.default_root_dir", str(folder)]) == 0
    return folder / "lightning_logs"


@pytest.fixture
def trained(trained_once: Path, here: Path) -> None:
    """Copies its run into the current folder."""
    shutil.copytree(trained_once, here / "lightning_logs")


@pytest.mark.usefixtures("trained")
def test_it_is_trained_as_it_asks_to_be() -> None:
    kept = read_checkpoint(LAST)
    assert kept["hyper_parameters"]["optimizer"]["name"] == "adamw"
    assert kept["hyper_parameters"]["lr_scheduler"]["name"] == "warmupcosinelr"
    decays = {group["weight_decay"] for group in kept["optimizer_states"][0]["param_groups"]}
    assert decays == {0.1, 0.0}
    numbers = [len(group["params"]) for group in kept["optimizer_states"][0]["param_groups"]]
    names = kept["seqlab"]["parameters"]
    weights = kept["state_dict"]
    assert all(weights[name].ndim > 1 for name in names[: numbers[0]])
    assert all(weights[name].ndim == 1 for name in names[numbers[0] :])


@pytest.mark.usefixtures("trained")
def test_evaluation_says_its_windows_and_counts_each_token_once(verb: Command) -> None:
    finished = verb("evaluate", BEST)
    assert "windows of 16 tokens, a new one every 8, through 1 stream" in finished.out
    by_eight, by_four = seqlab.evaluate(BEST), seqlab.evaluate(BEST, stride=4)
    assert by_four.tokens == by_eight.tokens
    assert "a new one every 4," in by_four.rows()["state"]
    assert by_four.loss != by_eight.loss
    model = seqlab.load(BEST)
    ids = TextData(STORY, codecs=model.codecs).part("test").ids
    part = torch.from_numpy(ids.astype("int64")).unsqueeze(0)
    with torch.inference_mode():
        nats, _ = model.network.token_nats(part[:, :-1], part[:, 1:])
    assert by_eight.loss == pytest.approx(float(nats.double().mean()), rel=1e-5)
    for stride, words in ((0, "at least 1 and at most the window of 16"), (17, "at most the window of 16")):
        refused = verb("evaluate", BEST, "--stride", str(stride))
        assert refused.code == 2
        assert words in refused.err


def test_a_recurrence_has_no_windows(verb: Command, here: Path) -> None:
    fit(verb, "--model", "gru", "--model.hidden_size", "8", *TEXT)
    refused = verb("evaluate", BEST, "--stride", "4")
    assert (refused.code, "this model has none; leave out --stride" in refused.err) == (2, True)


@pytest.mark.usefixtures("trained")
def test_text_is_generated_beyond_the_window(verb: Command) -> None:
    finished = verb("generate", BEST, "--prefix", "the", "--num_tokens", "60", "--temperature", "0")
    assert finished.code == 0
    assert len(finished.out.strip("\n")) > 40
    assert "of 63 tokens each sees at most the 15 before it" in finished.err
    assert "--model.memory" in finished.err
    short = verb("generate", BEST, "--prefix", "the", "--num_tokens", "5", "--num_samples", "2", "--verbose")
    assert "at most" not in short.err
    assert f"state of 2 samples: {2 * 7 * 2 * 2 * 16 * 4 + 2 * 7 * 8:,} bytes" in short.err
    again = seqlab.generate(BEST, "the", num_tokens=60, temperature=0)
    assert again[0] == finished.out.rstrip("\n")


@pytest.mark.parametrize(
    "options", [("--model.memory", "16"), ("--model.hidden_size", "64")], ids=["memory", "compiled windows"]
)
def test_a_resumed_run_ends_as_one_that_was_not_interrupted(
    options: tuple[str, ...], verb: Command, here: Path
) -> None:
    schedule = ("--lr_scheduler.total_steps", "40", "--trainer.limit_train_batches", "8")
    fit(verb, *SMALL, *TEXT, *options, *schedule)
    whole = read_checkpoint(LAST)["state_dict"]
    half = ("--trainer.max_steps", str(read_checkpoint(LAST)["global_step"] // 2 - 1), "--overwrite")
    fit(verb, *SMALL, *TEXT, *options, *schedule, *half)
    carried = read_checkpoint(LAST)["seqlab"]["carry"]
    assert bool(carried) == ("--model.memory" in options)
    finished = verb("fit", "--ckpt_path", "last", "--run", "t", "--trainer.max_steps", "-1")
    assert finished.code == 0, finished.err
    for name, weights in read_checkpoint(LAST)["state_dict"].items():
        assert torch.equal(weights, whole[name]), name


@pytest.mark.usefixtures("trained")
def test_heads_are_inspected(verb: Command, here: Path) -> None:
    finished = verb("inspect", BEST, "--output", "figures", "--num_steps", "12")
    assert finished.code == 0, finished.err
    assert "tokens that a head looks back on average" in finished.out
    assert {path.name for path in (here / "figures").iterdir()} == {"gradient_flow.png", "t-heads.png"}


def test_mlp_beside_counts(verb: Command, here: Path) -> None:
    words = ("--model", "mlp", "--model.hidden_size", "16", "--model.window", "4")
    fit(verb, *words, *TEXT)
    alone = seqlab.evaluate(BEST)
    fit(verb, *words, *TEXT, "--model.counts", "0.5", "--model.order", "4", "--overwrite")
    mixed = seqlab.evaluate(BEST)
    assert mixed.loss < alone.loss
    assert "each token is predicted from the 4 before it" in mixed.rows()["state"]
    refused = verb("inspect", BEST)
    assert (refused.code, "holds a window MLP, with no recurrence" in refused.err) == (2, True)


def test_translation(verb: Command, here: Path) -> None:
    data = ("--data", "parallel", "--data.path", PAIRS, "--data.batch_size", "32", "--data.min_freq", "1")
    short = ("--data.val_fraction", "0.1", "--trainer.max_epochs", "1")
    fit(verb, *SMALL, *data, "--model.bleu_sentences", "8", *short)
    finished = verb(
        "translate", BEST, "the old man goes .", "--beam_size", "3", "--n_best", "2", "--attention", "a.png"
    )
    assert finished.code == 0, finished.err
    assert (here / "a.png").stat().st_size > 1000
    looked = verb("inspect", BEST, "--text", "the old man goes .", "--output", "figures")
    assert looked.code == 0, looked.err
    assert looked.out.startswith("t: the old man goes . -> ")
    names = {f"t-heads-{name}.png" for name in ("encoder", "decoder", "cross")}
    assert {path.name for path in (here / "figures").iterdir()} == names
    report = verb("evaluate", BEST, "--split", "val", "--sentences", "5")
    assert report.code == 0, report.err
    assert re.search(r"BLEU|bleu", report.out)


@pytest.mark.parametrize("data", ["rt_polarity", "ud_english_ewt"])
def test_classification_and_tagging(data: str, verb: Command, corpusless: None, here: Path) -> None:
    finished = verb(
        "fit", *CPU, *SMALL, "--data", data, "--trainer.max_epochs", "1", "--trainer.limit_train_batches", "9"
    )
    assert finished.code == 0, finished.err
    said = verb("predict", BEST, "a fine film .")
    assert said.code == 0, said.err
    assert said.out.strip()
    assert verb("evaluate", BEST, "--split", "val").code == 0


def test_every_task_that_reads_sequences_of_words_has_one() -> None:
    assert [task for task, row in TASKS.items() if "transformer" in row.networks] == [
        *("language", "translation", "classification", "tagging")
    ]
