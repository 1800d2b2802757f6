"""The grid of a comparison: from the command line to named runs."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from seqlab.errors import UserError
from seqlab.runs.folders import LONGEST_NAME, run_name

PAIRS = {"[": "]", "{": "}", "(": ")"}
OF_THE_GRID = {
    "seed": "--seeds N runs the seeds 1 to N",
    "run": "each run is named after its varied options",
    "ckpt_path": "unfinished runs continue automatically",
    "trainer.default_root_dir": "--output names the folder",
    "trainer.fast_dev_run": "it keeps nothing that could be compared",
}
"""Options of ``fit`` that a comparison sets itself, and the reason for refusing them."""
OF_FOLDS = ("data.folds", "data.fold")
"""Options of ``fit`` that ``--folds`` sets."""


def split_values(text: str) -> list[str]:
    """Splits values at commas outside brackets: ``[64,32],[128]`` -> ``["[64,32]", "[128]"]``.

    Raises:
        UserError: A bracket is not closed, or a value is empty.
    """
    values, closing = [""], ""
    for sign in text:
        if sign == "," and not closing:
            values.append("")
            continue
        if sign in PAIRS:
            closing = PAIRS[sign] + closing
        elif closing and sign == closing[0]:
            closing = closing[1:]
        values[-1] += sign
    values = [value.strip() for value in values]
    if closing:
        raise UserError(f"'{text}' lacks a closing '{closing[0]}'; lists are written as [64,32],[128]")
    if not all(values):
        raise UserError(f"'{text}' has an empty value; give values with commas between them, such as 16,32,64")
    return values


def key_of(word: str) -> str:
    """The option that ``--key``, ``--key=value`` or ``key=value`` names; ``model.name`` is ``model``."""
    return word.partition("=")[0].strip().lstrip("-").removesuffix(".name")


def read_variations(texts: Iterable[str]) -> dict[str, list[str]]:
    """``["data.num_steps=16,32"]`` -> ``{"data.num_steps": ["16", "32"]}``.

    Raises:
        UserError: A key has no values, or is varied twice.
    """
    varied: dict[str, list[str]] = {}
    for text in texts:
        key, (_, equals, values) = key_of(text), text.partition("=")
        if not equals or not values.strip() or not key:
            raise UserError(f"--vary {text} has no values; write it as --vary data.num_steps=16,32,64")
        if key in varied:
            raise UserError(f"{key} is varied twice; give all its values in one --vary")
        varied[key] = split_values(values)
    return varied


@dataclass(frozen=True)
class Cell:
    """One run of a comparison.

    Args:
        name: Name of the run.
        varied: Varied options and their values in this run, without the seed.
        seed: Seed of the run.
        arguments: Arguments of ``fit``, except the run's name and folder; the last is ``--seed=N``.
        fold: Number of the test fold, from 0; None without folds.
        bar: Whether the run is a baseline.
    """

    name: str
    varied: Mapping[str, str]
    seed: int
    arguments: Sequence[str]
    fold: int | None = None
    bar: bool = False

    @property
    def label(self) -> str:
        """The varied options in few words."""
        return ", ".join(words_of(self.varied))

    @property
    def place(self) -> str:
        """``seed 1`` or ``fold 3, seed 1``: the run's place in its row."""
        return f"seed {self.seed}" if self.fold is None else f"fold {self.fold}, seed {self.seed}"


@dataclass(frozen=True)
class Grid:
    """All runs of a comparison.

    Args:
        experiments: Configuration files.
        models: Names of models; if empty, those of the experiments, or the default model.
        varied: Values of each varied option.
        seeds: Runs of each combination, with the seeds 1, 2, ...
        options: Options of ``fit``, the same for all runs.
        folds: Number of folds, with one run for each test fold; None for no folds.

    Raises:
        UserError: A value is given twice, an option is both varied and given, or a comparison cannot vary it.
    """

    experiments: Sequence[str]
    models: Sequence[str]
    varied: Mapping[str, Sequence[str]]
    seeds: int
    options: Sequence[str]
    folds: int | None = None

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise UserError(f"seeds {self.seeds} must be a whole number of at least 1")
        if self.folds is not None and self.folds < 2:
            raise UserError(f"folds {self.folds} must be a whole number of at least 2")
        fixed = {key_of(word) for word in self.options if word.startswith("--")}
        for key in [*self.varied, *fixed]:
            if key in OF_THE_GRID:
                raise UserError(f"--{key} is not taken by a comparison: {OF_THE_GRID[key]}")
            if key in OF_FOLDS and self.folds is not None:
                raise UserError(f"--{key} is not taken beside --folds: --folds K runs the folds 0 to K-1")
        if "config" in self.varied:
            raise UserError("config cannot be varied; give the configuration files without an option before them")
        if both := next((key for key in self.varied if key in fixed), None):
            raise UserError(f"{both} is both varied and given; leave out --{both}")
        for key, values in {"experiment": self.experiments, "model": self.models, **self.varied}.items():
            if twice := next((value for value in values if values.count(value) > 1), None):
                raise UserError(f"{key} {twice} is given twice; leave one out")

    def axes(self) -> dict[str, Sequence[str]]:
        """The varied options with their values; the default model's name if nothing else varies."""
        models = self.models or ([] if self.experiments else ["gru"])
        axes = {"experiment": self.experiments, "model": models, **self.varied}
        return {key: values for key, values in axes.items() if values}

    def cells(self) -> list[Cell]:
        """Every run, sorted by seed, then by fold.

        Raises:
            UserError: Two runs would have the same name.
        """
        axes = self.axes()
        combinations = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
        folds = [None] if self.folds is None else [(fold, self.folds) for fold in range(self.folds)]
        places = product(range(1, self.seeds + 1), folds, combinations)
        return checked([cell(one, seed, self.options, fold=fold) for seed, fold, one in places])


def checked(cells: Sequence[Cell]) -> list[Cell]:
    """The same runs, with a check of their names.

    Raises:
        UserError: Two runs would have the same name.
    """
    names = [one.name for one in cells]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserError(f"two of the runs would be called '{twice}'; give their files or values other names")
    return [*cells]


def cell(
    chosen: Mapping[str, str],
    seed: int,
    options: Sequence[str],
    prefix: Sequence[str] = (),
    fold: tuple[int, int] | None = None,
) -> Cell:
    """The run of one combination.

    Args:
        chosen: Value of each axis.
        seed: Seed of the run.
        options: Options of ``fit``, the same for all runs.
        prefix: First words of the name.
        fold: Number of the fold, and number of folds.
    """
    own = [f"--{key}={value}" for key, value in chosen.items() if key != "experiment"]
    files = [f"--config={chosen['experiment']}"] if "experiment" in chosen else []
    varied = {key: Path(value).stem if key == "experiment" else value for key, value in chosen.items()}
    part = [] if fold is None else [f"--data.folds={fold[1]}", f"--data.fold={fold[0]}"]
    number = None if fold is None else fold[0]
    name = name_of([*prefix, *words_of(varied)], seed, number)
    return Cell(name, varied, seed, [*files, *options, *own, *part, f"--seed={seed}"], number)


def words_of(varied: Mapping[str, str]) -> list[str]:
    """The varied options as words: ``gru`` and ``num_steps=32``."""
    named = ("experiment", "model")
    return [value if key in named else f"{key.partition('.')[2] or key}={value}" for key, value in varied.items()]


def name_of(words: Sequence[str], seed: int, fold: int | None) -> str:
    """The words as the name of a run; a shortened name ends with a few letters of a hash to stay unique."""
    end = f"seed={seed}" if fold is None else f"fold={fold}-seed={seed}"
    name = run_name(*words, end)
    if name.endswith(f"-{end}"):
        return name
    digest = hashlib.sha1("-".join(words).encode()).hexdigest()[:8]
    return f"{run_name(*words)[: LONGEST_NAME - len(end) - len(digest) - 2]}-{digest}-{end}"
