import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import seqlab
from seqlab.nn.ngram import NGram
from seqlab.runs.checkpoint import read_checkpoint

Command = Callable[..., Any]

STORY = Path(__file__).parent / "fixtures" / "story.txt"
OPTIONS = ("--model", "ngram", "--data", "text", "--data.path", str(STORY), "--data.batch_size", "4")
BEST = "lightning_logs/n/checkpoints/best.ckpt"


def fit(verb: Command, *options: str) -> str:
    finished = verb("fit", *OPTIONS, "--run", "n", "--trainer.accelerator", "cpu", *options)
    assert finished.code == 0, finished.err
    return str(finished.out)


def test_one_epoch_counts_everything(verb: Command) -> None:
    out = fit(verb, "--model.order", "4")
    assert "ngram (0 parameters)" in out
    checkpoint = read_checkpoint(BEST)
    assert checkpoint["epoch"] == 0
    assert checkpoint["state_dict"]["network.counts_1"].dtype == torch.int64
    model = seqlab.load(BEST)
    ids = seqlab.corpus(data={"name": "text", "path": str(STORY)}).ids
    assert 0.8 * len(ids) < int(model.network.counts_1.sum()) < 0.9 * len(ids)


def test_evaluate_is_a_sum_of_logarithms(verb: Command) -> None:
    fit(verb, "--model.order", "3")
    result = seqlab.evaluate(BEST, data={"eval_streams": 1})
    model = seqlab.load(BEST)
    trained = seqlab.fit(model="ngram", data={"name": "text", "path": str(STORY), "batch_size": 4}, run="m")
    ids = torch.from_numpy(trained.data.part("test").ids.astype("int64"))
    logits, _ = model(ids[:-1].unsqueeze(0))
    nats = -logits[0].gather(1, ids[1:].unsqueeze(1))
    assert result.tokens == len(ids) - 1
    assert result.loss == pytest.approx(float(nats.mean()), rel=1e-6)


@torch.no_grad()
def test_state_is_carried_and_padding_counts_for_nothing() -> None:
    ids = torch.randint(1, 7, (2, 41), generator=torch.Generator().manual_seed(0))
    network = NGram(7, 3)
    network.count(torch.randint(1, 7, (500,), generator=torch.Generator().manual_seed(1)))
    whole, tokens, _ = network.nats(ids[:, :-1], ids[:, 1:])
    first, _, state = network.nats(ids[:, :13], ids[:, 1:14])
    rest, _, _ = network.nats(ids[:, 13:40], ids[:, 14:], None, state)
    assert float(first + rest) == pytest.approx(float(whole))
    assert tokens == 80
    valid = torch.ones(2, 40, dtype=torch.bool)
    valid[1, -1] = False
    short, counted, _ = network.nats(ids[:, :-1], ids[:, 1:], valid)
    logits, _ = network(ids[:, :-1])
    assert counted == 79
    assert float(whole - short) == pytest.approx(-float(logits[1, -1, ids[1, -1]]))


def test_unseen_events_are_infinite_and_said_so(verb: Command) -> None:
    out = fit(verb, "--model.order", "5", "--model.smoothing", "none")
    assert "best validation perplexity inf" in out
    finished = verb("evaluate", BEST)
    assert finished.code == 0
    assert "inf: the text holds tokens to which the unsmoothed model gives probability 0" in finished.out
    assert math.isinf(seqlab.evaluate(BEST).perplexity)


def test_generate(verb: Command, refusal: Command) -> None:
    fit(verb, "--model.order", "3")
    out = verb("generate", BEST, "--prefix", "the ", "--num_tokens", "30").out
    assert out.startswith("the ")
    assert len(out) == len("the ") + 30 + 1
    assert out == verb("generate", BEST, "--prefix", "the ", "--num_tokens", "30").out


def test_an_unsmoothed_model_cannot_go_on_from_what_it_never_saw(verb: Command) -> None:
    fit(verb, "--model.order", "4", "--model.smoothing", "none")
    assert verb("generate", BEST, "--prefix", "the").code == 0
    finished = verb("generate", BEST, "--prefix", "qqq")
    assert finished.code == 2
    assert "nothing ever followed these 3 tokens in the training text" in finished.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--model.smoothing kneserney", "--model.smoothing does not take 'kneserney': did you mean 'kneser_ney'?"),
        ("--model.ordr 3", "unknown option --model.ordr: did you mean '--model.order'?; --help_all lists them"),
        ("--model.order 0", "--model.order 0 must be a whole number of at least 1"),
        ("--optimizer sgd", "--optimizer means nothing to ngram, which counts; leave it out"),
        ("--lr_scheduler.gamma=0.5", "--lr_scheduler.gamma means nothing to ngram, which counts; leave it out"),
    ],
)
def test_refusals(refusal: Command, options: str, words: str) -> None:
    assert refusal("fit", *OPTIONS, *options.split()) == words


def test_there_is_nothing_to_go_on_with(verb: Command) -> None:
    fit(verb, "--model.order", "3")
    finished = verb("fit", "--ckpt_path", "last", "--run", "n")
    assert finished.code == 2
    assert "holds ngram, counted all at once: nothing is left to train; see seqlab.evaluate" in finished.err


def test_a_dead_end_is_said_and_not_fatal(verb: Callable[..., Any], here: Path) -> None:
    Path("once.txt").write_text("to be or not to be that is the question\n" * 2)
    words = ["--data", "text", "--data.path", "once.txt", "--data.tokens", "word", "--data.min_freq", "3"]
    options = [
        "--model",
        "ngram",
        "--model.smoothing",
        "none",
        "--data.batch_size",
        "1",
        "--run",
        "dead",
        "--data.num_steps",
        "4",
    ]
    finished = verb("fit", *options, *words, "--data.val_fraction", "0", "--data.test_fraction", "0")
    assert finished.code == 0, finished.err
    assert "(every token has probability 0 here; give another --prefix, or train n-grams with" in finished.out
    assert Path("lightning_logs/dead/result.json").exists()
    generated = verb("generate", "lightning_logs/dead/checkpoints/last.ckpt", "--prefix", "to be", "--temperature", "0")
    assert generated.code == 2


def test_a_text_that_fills_no_batch_is_counted(verb: Command, here: Path) -> None:
    (here / "short.txt").write_text("to be or not to be")
    options = ("--data", "text", "--data.path", "short.txt", "--data.val_fraction", "0", "--data.test_fraction", "0")
    finished = verb("fit", "--model", "ngram", "--model.order", "2", *options, "--run", "n")
    assert finished.code == 0, finished.err
    assert int(seqlab.load("lightning_logs/n/checkpoints/last.ckpt").network.counts_1.sum()) == 18
    refused = verb("fit", "--model", "gru", *options, "--run", "g")
    assert refused.code == 2
    assert "too short" in refused.err or "batch" in refused.err
