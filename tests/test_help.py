import re
from collections.abc import Callable

import pytest

import seqlab

SCREEN = 50
"""Lines of a screen."""


def text_of(finished: tuple[int, str, str]) -> str:
    code, out, err = finished
    assert (code, err) == (0, "")
    return out


@pytest.mark.parametrize(("choices", "screens"), [((), 1.6), (("--data", "fra_eng"), 2), (("--data", "trec"), 2)])
def test_fit_fits(choices: tuple[str, ...], screens: float, verb: Callable[..., tuple[int, str, str]]) -> None:
    lines = text_of(verb("fit", *choices, "--help")).splitlines()
    assert len(lines) <= screens * SCREEN
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize("name", seqlab.VERBS)
def test_help_opens_with_examples_that_name_the_verb(name: str, verb: Callable[..., tuple[int, str, str]]) -> None:
    lines = text_of(verb(name, "--help")).splitlines()
    assert lines[0].startswith(f"usage: python -m seqlab.{name}")
    assert lines[2].startswith(seqlab.VERBS[name])
    first, second = lines[lines.index("Examples:") + 1 :][:2]
    assert first.startswith(f"  python -m seqlab.{name}")
    assert second.startswith(f"  python -m seqlab.{name} ")


def test_what_people_use_first_comes_first(verb: Callable[..., tuple[int, str, str]]) -> None:
    everything = text_of(verb("fit", "--help_all"))
    places = [everything.index(f"  --{name} ") for name in ("model", "data", "model.hidden_size", "model.l1")]
    assert places == sorted(places)
    assert "--model.l1" not in text_of(verb("fit", "--help"))


ROWS = [
    r"--model NAME +Of those that read this data: gru, rnn, rnn_relu",
    r"--model\.hidden_size INT\|LIST +Units in each recurrent layer; a list has one number .* \[256\]",
    r"--model\.dropout FLOAT +Dropout on",
    r"--data NAME +time_machine, text",
    r"--data\.num_steps INT +Tokens of each row",
    r"--data\.val_fraction FLOAT +Share of the characters",
    r"--optimizer\.lr FLOAT\S* +Learning rate",
    r"--trainer\.max_epochs INT\S* +Passes over",
    r"--trainer\.max_steps INT +Optimizer steps",
    r"--trainer\.precision .*bf16-mixed",
    r"--ckpt_path STR\S* +Go on from last, best",
    r"--seed INT .*\[1\]",
]


def test_fit_shows_options_with_units_and_defaults(verb: Callable[..., tuple[int, str, str]]) -> None:
    shown = text_of(verb("fit", "--help"))
    assert [row for row in ROWS if not re.search(f"^ +{row}", shown, re.MULTILINE)] == []


def test_help_follows_the_choices(verb: Callable[..., tuple[int, str, str]]) -> None:
    choices = ["--data", "text", "--optimizer", "sgd", "--lr_scheduler", "steplr"]
    chosen = text_of(verb("fit", *choices, "--help"))
    plain = text_of(verb("fit", "--help"))
    for option in ("--data.path", "--lr_scheduler.step_size", "--lr_scheduler.gamma"):
        assert option in chosen
        assert option not in plain
    assert "[sgd]" in chosen
    assert "[steplr]" in chosen


def test_help_all_shows_more(verb: Callable[..., tuple[int, str, str]]) -> None:
    some, everything = text_of(verb("fit", "--help")), text_of(verb("fit", "--help_all"))
    for option in ("--trainer.limit_train_batches", "--trainer.deterministic", "--optimizer.betas"):
        assert option in everything
        assert option not in some
    shown = set(re.findall(r"^ +(--[\w.]+)", some, re.MULTILINE))
    assert shown <= set(re.findall(r"^ +(--[\w.]+)", everything, re.MULTILINE))


def test_no_option_shown_is_without_words(verb: Callable[..., tuple[int, str, str]]) -> None:
    for name in ("fit", "evaluate", "generate", "corpus", "memory"):
        rows = re.findall(r"^  (?!python)(\S.*(?:\n {10,}\S.*)?)", text_of(verb(name, "--help")), re.MULTILINE)
        assert rows
        assert not [row for row in rows if not re.search(r"\s{2,}\S", row)]


def test_evaluate(verb: Callable[..., tuple[int, str, str]]) -> None:
    out = text_of(verb("evaluate", "--help"))
    assert len(out.splitlines()) <= SCREEN
    for row in (
        "CKPT +Checkpoint",
        r"--split \{train,val,test\} +Part of the corpus; if not",
        "--device STR .*cpu",
    ):
        assert re.search(f"^ +{row}", out, re.MULTILINE), row


def test_evaluate_shows_the_options_of_the_models_data(
    verb: Callable[..., tuple[int, str, str]], story_run: object
) -> None:
    out = text_of(verb("evaluate", f"{story_run}/checkpoints/best.ckpt", "--help"))
    assert re.search(r"--data\.path .*Text files to train on", out)
    assert re.search(r"--data NAME .*\[text\]", out)


def test_generate(verb: Callable[..., tuple[int, str, str]]) -> None:
    out = text_of(verb("generate", "--help"))
    assert len(out.splitlines()) <= SCREEN
    for row in ("--num_tokens INT +Tokens .*200", "--temperature FLOAT +Divides the logits", "--top_p FLOAT", "CKPT"):
        assert re.search(f"^ +{row}", out, re.MULTILINE), row
