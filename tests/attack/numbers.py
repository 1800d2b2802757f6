"""Numbers out of range for every option that takes one; and options that would mean nothing where they stand."""

from collections.abc import Iterator
from typing import Any, get_args

from seqlab.cli.plan import plan
from seqlab.cli.settings import read_settings
from seqlab.cli.verbs import options_of
from seqlab.models import TASKS

from .sound import DATA, Sound, fit_of
from .verdict import Attack

VALUES = ("-7", "0", "-1", "1000000000000", str(2**63), str(10**30), "0.5", "-0.0", "nan", "1e400", "-1e308", "1e-320")
WORDS = ("''", "null", "[[[1]]]", "{a: 1}", "true", "1_000", "0x10", "١", "1 2")
SCHEDULES = ("steplr", "cosineannealinglr", "onecyclelr", "cycliclr", "warmupcosinelr", "reducelronplateau")
OPTIMIZERS = ("sgd", "adamw", "rprop", "asgd", "lbfgs", "adafactor")
GONE = ("trainer.fast_dev_run", "trainer.max_epochs", "trainer.max_steps", "trainer.min_epochs", "trainer.min_steps")
"""Options that may rightly make a training of 10**12 steps."""

REFUSED: dict[str, tuple[str, ...]] = {
    "--trainer.val_check_interval": ("0", "-1", "nan", "0.0"),
    "--patience": ("-1", "1000000000000"),
    "--trainer.num_sanity_val_steps": ("-7",),
    "--trainer.accumulate_grad_batches": ("0", "-1"),
    "--trainer.log_every_n_steps": ("0", "-1"),
    "--trainer.check_val_every_n_epoch": ("0", "-1"),
    "--model.hidden_size": ("0", "-1", "1000000000", "200000"),
    "--model.num_layers": ("0", "1000000000"),
    "--model.embedding_size": ("0", "100000000"),
    "--data.batch_size": ("0", "-1", "1000000000000"),
    "--data.num_steps": ("0", "-1", "1000000000000"),
    "--optimizer.lr": ("-1", "nan"),
    "--seed": ("-1", "4294967296"),
    "--run": ("", " ", "..", "a/b"),
    "--ckpt_path": ("", " "),
    "--ckpt_every": ("", "0", "-3", "0s", "x"),
    "--monitor": ("", "val/nothing"),
    "--data.path": ("",),
    "--bar": ("",),
    "--model": ("",),
    "--data": ("",),
    "--config": ("",),
    "--trainer.default_root_dir": ("",),
}
"""What must be refused before work begins, of ``fit``."""

SCHEDULED: dict[str, tuple[str, ...]] = {
    "steplr": ("--lr_scheduler.step_size", "0"),
    "cosineannealinglr": ("--lr_scheduler.T_max", "0"),
    "cosineannealingwarmrestarts": ("--lr_scheduler.T_0", "0"),
    "onecyclelr": ("--lr_scheduler.total_steps", "0"),
    "reducelronplateau": ("--lr_scheduler.patience", "-1"),
}


def refused(sound: Sound) -> Iterator[Attack]:
    """What the rule of an option forbids, for every verb."""
    base = [*fit_of("language"), "--run", "again"]
    for option, values in REFUSED.items():
        for value in values:
            yield Attack(f"fit {option} {value!r}", [*base, option, value], refused=True)
    for name, (option, value) in SCHEDULED.items():
        yield Attack(f"{option} {value}", [*base, "--lr_scheduler", name, option, value], refused=True)
    good = {task: str(path) for task, path in sound.good.items()}
    for words in (
        *(["generate", good["language"], f"--{name}", value] for name, value in _GENERATED),
        *(["translate", good["translation"], "go", f"--{name}", value] for name, value in _TRANSLATED),
        *(["compare", *fit_of("language")[3:], f"--{name}", value] for name, value in _COMPARED),
        *(["memory", f"--{name}", value] for name, value in _MEASURED),
        *([verb, ""] for verb in ("evaluate", "generate", "translate", "predict", "inspect", "export")),
        ["evaluate", good["language"], "--split", ""],
        ["evaluate", good["language"], "--items", ""],
        ["export", good["language"], "--output", ""],
        ["export", good["language"], "--format", ""],
        ["predict", good["tagging"], "a", "--output", ""],
        ["predict", good["tagging"], "a", "--n_best", "1000000000"],
        ["predict", good["forecasting"], "--input", "series.csv", "--steps", "1000000000000"],
        ["evaluate", good["forecasting"], "--horizon", "1000000000000"],
        ["corpus", "--data", "text", "--data.path", "", "--data.tokens", "word"],
        ["corpus", *DATA["language"], "--num_frequent", "1000000000000"],
        [*fit_of("language")[:5], "--data.tokens", "unigram", "--data.num_subwords", "1000000000", "--run", "again"],
    ):
        yield Attack(" ".join(words)[-80:], words, refused=True)


_GENERATED = [("num_tokens", "1000000000000"), ("num_samples", "1000000000"), ("num_samples", "0"), ("top_k", "0")]
_GENERATED += [("temperature", "-1"), ("temperature", "nan"), ("top_p", "2"), ("num_tokens", "-1"), ("seed", "-1")]
_TRANSLATED = [("beam_size", "1000000000"), ("beam_size", "0"), ("n_best", "1000000000"), ("max_length", "1000000000")]
_TRANSLATED += [("length_factor", "nan"), ("length_penalty", "nan"), ("no_repeat_ngram", "-1"), ("input", "")]
_COMPARED = [("model", ""), ("seeds", "0"), ("seeds", "1000000000"), ("jobs", "0"), ("jobs", "1000000000")]
_COMPARED += [("vary", ""), ("folds", "1"), ("folds", "1000000000"), ("output", ""), ("bar", ""), ("vary", "x=1")]
_MEASURED = [("lengths", ""), ("lengths", "0"), ("lengths", "1000000000"), ("model", ""), ("hidden_size", "0")]
_MEASURED += [("seeds", "0"), ("max_steps", "-1"), ("lr", "nan"), ("batch_size", "1000000000000")]


def out_of_range(sound: Sound) -> Iterator[Attack]:
    """Every option of every verb and task that takes a number, with numbers and words that it may not take."""
    for task in DATA:
        words = fit_of(task)[1:]
        for option in _numeric(words):
            yield from _each([*fit_of(task), "--run", "again"], option)
    for name in SCHEDULES:
        words = [*fit_of("language"), "--run", "again", "--lr_scheduler", name, *_needed(name)]
        for option in _numeric(words[1:], "lr_scheduler."):
            yield from _each(words, option)
    for name in OPTIMIZERS:
        words = [*fit_of("language"), "--run", "again", "--optimizer", name, "--optimizer.lr", "0.1"]
        for option in _numeric(words[1:], "optimizer."):
            yield from _each(words, option)
    for task, row in TASKS.items():
        for verb in ("evaluate", "predict", "inspect", "export", "generate", "translate"):
            if task in sound.good and hasattr(row.model, verb):
                given = {"predict": ["--input", "series.csv"], "translate": ["go"]}.get(verb, [])
                for option, one in options_of(row.model, verb).items():
                    if _takes_number(one.annotation):
                        yield from _each([verb, str(sound.good[task]), *given], option)


def _needed(schedule: str) -> list[str]:
    needs = {"steplr": "step_size=3", "cosineannealinglr": "T_max=3", "onecyclelr": "max_lr=0.1"}
    needs["cycliclr"] = "base_lr=0.1,max_lr=0.2"
    pairs = [pair.split("=") for pair in needs.get(schedule, "").split(",") if pair]
    return [word for key, value in pairs for word in (f"--lr_scheduler.{key}", value)]


def _numeric(words: list[str], within: str = "") -> list[str]:
    """Options of ``fit`` that take numbers."""
    actions = read_settings(plan(words)).parser._actions
    found = [one.dest for one in actions if _takes_number(getattr(one, "_typehint", getattr(one, "type", None)))]
    return [option for option in found if option.startswith(within) and option not in GONE]


def _takes_number(hint: Any) -> bool:
    return hint in (int, float) or any(_takes_number(part) for part in get_args(hint))


def _each(words: list[str], option: str) -> Iterator[Attack]:
    for value in (*VALUES, *WORDS):
        yield Attack(f"{' '.join(words[:3])[-80:]} --{option} {value}", [*words, f"--{option}", value])


def ignored(sound: Sound) -> Iterator[Attack]:
    """Options that mean nothing where they stand, which must be refused rather than passed over."""
    good = {task: str(path) for task, path in sound.good.items()}
    base = [*fit_of("language"), "--run", "again"]
    for words in (
        ["translate", good["translation"], "go", "--input", "series.csv"],
        ["predict", good["tagging"], "a", "--input", "series.csv"],
        ["translate", good["translation"], "--attention", "a.png", "--input", DATA["language"][3]],
        ["translate", good["translation"], "go", "--n_best", "6", "--beam_size", "2"],
        ["generate", good["language"], "--beam_size", "3"],
        ["evaluate", good["language"], "--beam_size", "3"],
        ["evaluate", good["classification"], "--horizon", "3"],
        ["export", good["classification"], "--format", "onnx"],
        ["inspect", good["classification"], good["language"]],
        ["compare", "--trials", "3", *base[1:]],
        ["compare", "--sampler", "tpe", "--seeds", "3", "--vary", "optimizer.lr=1e-4..1e-1"],
        ["compare", "--vary", "optimizer.lr=1e-4..1e-1"],
        ["compare", "--model", "gru", "--vary", "model=lstm"],
        ["compare", "--ckpt_path", "last"],
        ["compare", "--run", "x"],
        [*base, "--ckpt_every", "3", "--trainer.enable_checkpointing", "false"],
        [*base, "--model.filters", "3"],
        [*base, "--optimizer.momentum", "0.9"],
        [*base, "--lr_scheduler.gamma", "0.9"],
        [*base, "--data.label_column", "2"],
        [*base, "--data.val_path", DATA["language"][3], "--data.val_fraction", "0.2"],
        ["fit", *DATA["language"], "--model", "ngram", "--optimizer.lr", "0.1", "--run", "again"],
        ["fit", *DATA["language"], "--model", "ngram", "--lr_scheduler", "steplr", "--run", "again"],
        ["fit", *DATA["language"], "--model", "gru", "--model.cell", "lstm", "--run", "again"],
        [*base, "--trainer.max_epoch", "3"],
        [*base, "anything"],
        [*base, "--monitor", "val/bleu"],
        ["fit", "--ckpt_path", good["language"], "--model", "lstm", "--run", "again"],
        ["fit", "--ckpt_path", good["language"], "--data.tokens", "word", "--run", "again"],
        ["corpus", *DATA["classification"]],
        ["memory", "--task", "adding,copies"],
    ):
        yield Attack(" ".join(words)[-100:], words, refused=True)
