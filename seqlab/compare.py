"""``python -m seqlab.compare experiments/a.yaml ... --model rnn,gru``: a grid of runs as one table."""

import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqlab import VERBS
from seqlab.cli.parser import Parser, arguments_of, values_of
from seqlab.cli.process import run_verb
from seqlab.comparison.bars import Bars, with_bars
from seqlab.comparison.execution import at_work, carry_out_all, plan_runs, read_once
from seqlab.comparison.grid import Grid, key_of, read_variations, split_values
from seqlab.comparison.outcome import Comparison, write_comparison
from seqlab.comparison.reading import OWN
from seqlab.comparison.remaining import Progress
from seqlab.comparison.search import Search, is_range
from seqlab.errors import NoPartError, UserError
from seqlab.evaluate import evaluate
from seqlab.metrics import Measure, Report, Resampled
from seqlab.models import TASKS
from seqlab.runs.writable import check_folder

MORE = "All other options are those of python -m seqlab.fit, and apply to all runs."
USAGE = "python -m seqlab.compare [EXPERIMENT.yaml ...] [--model rnn,gru] [--vary KEY=A,B ...] [--OPTION VALUE ...]"
EXAMPLES = (
    "python -m seqlab.compare --model rnn,gru,lstm --trainer.max_epochs 8",
    "python -m seqlab.compare --data rt_polarity --model bag,cnn --folds 10 --seeds 1 --output folds",
)
ONE_AT_A_TIME = threading.Lock()
"""Lock of the run that is being evaluated, since evaluation uses all cores."""


def compare(
    experiments: Sequence[str] = (),
    model: str | Sequence[str] = (),
    seeds: int = 3,
    vary: Mapping[str, Sequence[object]] | None = None,
    jobs: int = 1,
    output: str = "results",
    sampler: str | None = None,
    trials: int = 30,
    folds: int | None = None,
    bar: str = "auto",
    **options: Any,
) -> Comparison:
    """Runs models x experiments x varied options x folds x seeds, each in a separate process, and compares them.

    Runs that a comparison in the same folder has finished are not repeated.

    Args:
        experiments: Configuration files.
        model: Names of models; those of the experiments, or gru, if not given.
        seeds: Runs of each combination, with the seeds 1, 2, ...
        vary: Values of each option that varies: ``{"data.num_steps": [16, 32]}``.
        jobs: Number of parallel runs, which share the cores; only with 1 are their times comparable.
        output: Folder of the runs, the tables and the figures.
        sampler: tpe or random, to search the varied options (values or one range ``["1e-4..1e-1"]``) with few runs.
        trials: Runs of a search, each with seed 1.
        folds: Number of cross-validation folds; each combination runs once for each fold as its test part.
        bar: Baseline model as one more row, for each task and data: auto is the task's baseline, none adds no row.
        options: Options of ``seqlab.fit``, the same for all runs.

    Raises:
        UserError: An option is wrong, or the folder holds runs with other options.
    """
    varied = {key_of(key): [_word(value) for value in values] for key, values in (vary or {}).items()}
    models = [model] if isinstance(model, str) else [*model]
    grid = Grid([str(path) for path in experiments], models, varied, seeds, arguments_of(options), folds)
    if sampler is not None:
        return _search(grid, _bars(bar), sampler, trials, jobs, Path(output))
    return _compare(grid, _bars(bar), jobs, Path(output))


def _word(value: object) -> str:
    return "null" if value is None else str(value).replace(", ", ",")


def _compare(grid: Grid, bars: Bars, jobs: int, output: Path) -> Comparison:
    _check_jobs(jobs)
    read = read_once()
    cells = with_bars(grid.cells(), read, bars)
    check_folder(output)
    planned = plan_runs(cells, output, read)
    with at_work(output, jobs, _test) as runs:
        progress = Progress(len(cells), jobs)
        try:
            records = carry_out_all(runs, planned, jobs, progress.say)
        except KeyboardInterrupt:
            print("\nStopped; the same command goes on from here.", flush=True)
            raise
    return write_comparison(list(zip(cells, records, strict=True)), output, _resampled)


def _search(grid: Grid, bars: Bars, sampler: str, trials: int, jobs: int, output: Path) -> Comparison:
    """Runs a search, and the bar of its best trial."""
    _check_jobs(jobs)
    if grid.folds is not None:
        raise UserError("--folds is for grids; every trial of a search is one run")
    read = read_once()
    check_folder(output)
    search = Search(grid.axes(), grid.options, sampler, trials, output, read, _main)
    with at_work(output, jobs, _test) as runs:
        found = search.run(runs, jobs, Progress(trials, jobs).say)
        if (best := search.best(found)) is not None:
            cells = with_bars([best], read, bars)
            found = [(cells[0] if cell == best else cell, record) for cell, record in found]
            records = carry_out_all(runs, plan_runs(cells[1:], output, read), jobs, Progress(len(cells) - 1, jobs).say)
            found += zip(cells[1:], records, strict=True)
        return write_comparison(found, output, _resampled)


def _check_jobs(jobs: int) -> None:
    if jobs < 1:
        raise UserError(f"jobs {jobs} must be a whole number of at least 1")


def _test(checkpoint: Path) -> Report | None:
    """Measures of a checkpoint on the test part; None without a test part."""
    try:
        with ONE_AT_A_TIME:
            return evaluate(str(checkpoint), split="test", items=True)
    except NoPartError:
        return None


def _resampled(task: str, measure: str) -> Resampled | None:
    """A measure of a task over resampled items; None if it does not follow from items."""
    known = TASKS[task].model.measures if task in TASKS else {}
    return known[measure].resampled if measure in known else None


def _task(options: Mapping[str, Any]) -> str | None:
    """The task of some options of ``fit``."""
    model, data = options["model"]["name"], options["data"]["name"]
    return next((name for name, task in TASKS.items() if model in task.networks and data in task.data), None)


def _main(options: Mapping[str, Any]) -> tuple[str, Measure]:
    """The main measure of some options of ``fit``, with its name."""
    task = _task(options)
    assert task is not None, "the options were read"
    return next(iter(TASKS[task].model.measures.items()))


def _bar(options: Mapping[str, Any]) -> str | None:
    """The baseline model for these options."""
    task = _task(options)
    return None if task is None else TASKS[task].bar


def _bars(bar: str) -> Bars:
    """The baselines of ``--bar``."""
    named: dict[str, Bars] = {"none": lambda options: None, "auto": _bar}
    return named.get(bar, lambda options: bar)


def _split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Splits the command line into words of the comparison and options of ``fit``.

    Raises:
        UserError: An option of the comparison has no value.
    """
    own: list[str] = []
    rest: list[str] = []
    words = [*argv]
    while words:
        word = words.pop(0)
        if not word.startswith("-") or word in ("-h", "--help", "--help_all"):
            own.append(word)
            continue
        ours = key_of(word) in OWN
        part = own if ours else rest
        part.append(word.replace(".name", "", 1) if ours else word)
        if "=" not in word and words and not words[0].startswith("--"):
            part.append(words.pop(0))
        elif ours and "=" not in word:
            raise UserError(f"{word} has no value; --help says what it takes")
    return own, rest


def _run(argv: list[str]) -> int:
    own, options = _split(argv)
    parser = Parser(usage=USAGE, description=VERBS["compare"], epilog=MORE, examples=EXAMPLES)
    parser.add_argument("experiments", type=str, nargs="*", help="YAML files of options, compared with each other.")
    parser.add_argument("--model", type=str | None, metavar="A,B,...", help="Models; those of the experiments, or gru.")
    parser.add_argument("--seeds", type=int, default=3, help="Runs of each combination, with the seeds 1, 2, ...")
    parser.add_argument(
        "--vary", type=str | None, metavar="KEY=A,B,...", help="An option of fit with its values; LOW..HIGH to search."
    )
    parser.add_argument("--jobs", type=int, default=1, help="Number of parallel runs, which share the cores.")
    parser.add_argument("--sampler", type=str | None, help="Search with tpe or random instead of running all.")
    parser.add_argument("--trials", type=int, default=30, help="Runs of a search.")
    parser.add_argument(
        "--folds",
        type=int | None,
        metavar="K",
        help="Cross-validation: K folds, and one run for each fold as test part.",
    )
    parser.add_argument(
        "--bar",
        type=str,
        default="auto",
        help="Baseline model as one more row; auto is the task's baseline, none adds no row.",
    )
    parser.add_argument("--output", type=str, default="results", help="Folder of runs, tables and figures.")
    config = parser.parse_sentence(own)
    varied = read_variations(values_of(own, "vary"))
    models = split_values(config.model) if config.model else []
    if "model" in varied:
        if models:
            raise UserError("model is varied twice; give all models in one --model")
        models = varied.pop("model")
    if config.sampler is None:
        if values_of(own, "trials"):
            raise UserError("--trials counts the runs of a search; give --sampler too, or leave it out")
        if ranged := next((key for key, values in varied.items() if any(map(is_range, values))), None):
            raise UserError(f"{ranged} is given a range, which --sampler tpe searches; without it give values")
        grid = Grid(config.experiments, models, varied, config.seeds, options, config.folds)
        found = _compare(grid, _bars(config.bar), config.jobs, Path(config.output))
    else:
        if values_of(own, "seeds"):
            raise UserError("--seeds is for grids; every trial of a search is one run, with seed 1")
        grid = Grid(config.experiments, models, varied, 1, options, config.folds)
        found = _search(grid, _bars(config.bar), config.sampler, config.trials, config.jobs, Path(config.output))
    print("", found, "", *(f"Written: {path}" for path in found.files), sep="\n")
    return int(bool(found.failed))


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_verb(_run, argv, lasting=True)


if __name__ == "__main__":
    sys.exit(main())
