"""``python -m seqlab.compare experiments/a.yaml ... --model rnn,gru``: a grid of runs as one table."""

import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqlab.cli.parser import Parser, arguments_of, run_verb, values_of
from seqlab.comparison.execution import at_work, carry_out_all, plan_runs
from seqlab.comparison.grid import Cell, Grid, key_of, read_variations, split_values
from seqlab.comparison.reading import OWN
from seqlab.comparison.records import Record
from seqlab.comparison.search import Search, is_range
from seqlab.comparison.table import Row, as_csv, as_markdown, rows_of, runs_as_csv
from seqlab.errors import UserError, reason_of
from seqlab.evaluate import evaluate
from seqlab.runs.folders import LOGS

DESCRIPTION = (
    "Runs models x experiments x options x seeds, and writes what they reached as a table and figures. "
    "Every other option is one of python -m seqlab.fit, and holds for all runs."
)
USAGE = "python -m seqlab.compare [EXPERIMENT.yaml ...] [--model rnn,gru] [--vary KEY=A,B ...] [--OPTION VALUE ...]"
ONE_AT_A_TIME = threading.Lock()
"""Held by the run that is being measured, which takes all cores."""


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Args:
        rows: Of the table, one for each combination.
        records: Of all runs that finished or failed.
        files: Tables and figures.
    """

    rows: Sequence[Row]
    records: Sequence[Record]
    files: Sequence[Path]

    @property
    def failed(self) -> list[Record]:
        """Records of the runs that failed."""
        return [record for record in self.records if record.reason]

    def __str__(self) -> str:
        return as_markdown(self.rows)


def compare(
    experiments: Sequence[str] = (),
    model: str | Sequence[str] = (),
    seeds: int = 3,
    vary: Mapping[str, Sequence[object]] | None = None,
    jobs: int = 1,
    output: str = "results",
    sampler: str | None = None,
    trials: int = 30,
    **options: Any,
) -> Comparison:
    """Runs models x experiments x varied options x seeds, each as a process of its own, and compares them.

    What a comparison in the same folder has done before is not done again.

    Args:
        experiments: Configuration files.
        model: Names of models; the experiments', or gru, if none.
        seeds: Runs of each combination, with the seeds 1, 2, ...
        vary: Values of each option that varies: ``{"data.num_steps": [16, 32]}``.
        jobs: Runs at a time, which share the cores; their times compare fairly where it is 1.
        output: Folder of the runs, the tables and the figures.
        sampler: Searches what varies, values or one range ``["1e-4..1e-1"]``, instead of running all: tpe or random.
        trials: Runs of a search, each with seed 1.
        options: Of ``seqlab.fit``, the same for all runs.

    Raises:
        UserError: An option is wrong, or the folder holds runs that were made with others.
    """
    varied = {key_of(key): [_word(value) for value in values] for key, values in (vary or {}).items()}
    models = [model] if isinstance(model, str) else [*model]
    grid = Grid([str(path) for path in experiments], models, varied, seeds, arguments_of(options))
    if sampler is not None:
        return _search(grid, sampler, trials, jobs, Path(output))
    return _compare(grid, jobs, Path(output))


def _word(value: object) -> str:
    return "null" if value is None else str(value).replace(", ", ",")


def _compare(grid: Grid, jobs: int, output: Path) -> Comparison:
    _check_jobs(jobs)
    cells = grid.cells()
    planned = plan_runs(cells, output)
    with at_work(output, jobs, _test_perplexity) as runs:
        progress = _Progress(len(cells))
        try:
            records = carry_out_all(runs, planned, jobs, progress.say)
        except KeyboardInterrupt:
            print("\nStopped; the same command goes on from here.", flush=True)
            raise
    return write(list(zip(cells, records, strict=True)), output)


def _search(grid: Grid, sampler: str, trials: int, jobs: int, output: Path) -> Comparison:
    _check_jobs(jobs)
    search = Search(grid.axes(), grid.options, sampler, trials, output)
    with at_work(output, jobs, _test_perplexity) as runs:
        return write(search.run(runs, jobs, _Progress(trials).say), output)


def _check_jobs(jobs: int) -> None:
    if jobs < 1:
        raise UserError(f"jobs {jobs} must be a whole number of at least 1")


class _Progress:
    """Says of each run that it is done."""

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0

    def say(self, record: Record) -> None:
        self.done += 1
        result = record.result or {}
        reached = f"{result['seconds']:.0f} s" if result else f"failed: {record.reason}"
        if "val_perplexity" in result:
            reached += f", best validation perplexity {result['val_perplexity']:.3f}"
        print(f"{self.done}/{self.total} {record.name}: {reached}", flush=True)


def _test_perplexity(checkpoint: Path) -> float | None:
    try:
        with ONE_AT_A_TIME:
            return evaluate(str(checkpoint), split="test", beam_size=1, sentences=1).perplexity
    except UserError:  # nothing to test on
        return None


def write(runs: Sequence[tuple[Cell, Record]], output: Path) -> Comparison:
    """Writes tables and figures of runs.

    Raises:
        UserError: A file cannot be written.
    """
    from seqlab.comparison.charts import draw_figures  # matplotlib, which a refusal need not wait for

    rows = rows_of(runs)
    corpora = ", ".join(sorted({record.corpus for _, record in runs if record.corpus}))
    note = f"On {corpora or 'no corpus'}; [low .. high] is the bootstrap 95% interval of a mean over seeds."
    texts = {
        "table.md": f"{as_markdown(rows)}\n\n{note}\n",
        "table.csv": as_csv(rows),
        "runs.csv": runs_as_csv(runs),
    }
    for name, text in texts.items():
        try:
            (output / name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise UserError(f"cannot write {output / name}: {reason_of(error)}; choose another --output") from None
    files = [*(output / name for name in texts), *draw_figures(rows, output / LOGS, output)]
    return Comparison(rows, [record for _, record in runs], files)


def _split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Words that a comparison reads itself, and options of ``fit``.

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
    parser = Parser(prog="python -m seqlab.compare", usage=USAGE, description=DESCRIPTION)
    parser.add_argument("experiments", type=str, nargs="*", help="YAML files of options, compared with each other.")
    parser.add_argument("--model", type=str | None, metavar="A,B,...", help="Models; the experiments', or gru.")
    parser.add_argument("--seeds", type=int, default=3, help="Runs of each combination, with the seeds 1, 2, ...")
    parser.add_argument(
        "--vary", type=str | None, metavar="KEY=A,B,...", help="An option of fit and its values; LOW..HIGH to search."
    )
    parser.add_argument("--jobs", type=int, default=1, help="Runs at a time, which share the cores.")
    parser.add_argument("--sampler", type=str | None, help="Search by tpe or random instead of running all.")
    parser.add_argument("--trials", type=int, default=30, help="Runs of a search.")
    parser.add_argument("--output", type=str, default="results", help="Folder of runs, tables and figures.")
    config = parser.parse_sentence(own)
    varied = read_variations(values_of(own, "vary"))
    models = split_values(config.model) if config.model else []
    if "model" in varied:
        if models:
            raise UserError("model is varied twice; give all models in one --model")
        models = varied.pop("model")
    if config.sampler is None:
        if ranged := next((key for key, values in varied.items() if any(map(is_range, values))), None):
            raise UserError(f"{ranged} is given a range, which --sampler tpe searches; without it give values")
        found = _compare(
            Grid(config.experiments, models, varied, config.seeds, options), config.jobs, Path(config.output)
        )
    else:
        if values_of(own, "seeds"):
            raise UserError("--seeds is for grids; every trial of a search is one run, with seed 1")
        grid = Grid(config.experiments, models, varied, 1, options)
        found = _search(grid, config.sampler, config.trials, config.jobs, Path(config.output))
    print("", found, "", *(f"Written: {path}" for path in found.files), sep="\n")
    return int(bool(found.failed))


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_verb(_run, argv)


if __name__ == "__main__":
    sys.exit(main())
