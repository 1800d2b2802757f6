"""Execution of the runs of a comparison: each run once, with unfinished runs resumed."""

import shutil
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from seqlab.comparison.bars import Read
from seqlab.comparison.grid import Cell
from seqlab.comparison.items import ITEMS, write_items
from seqlab.comparison.reading import read_options
from seqlab.comparison.records import Record, check_record, checkpoint_of, measure_run
from seqlab.comparison.workers import Processes, interruptible, last_line, sole
from seqlab.errors import reason_of
from seqlab.metrics import Report
from seqlab.runs.folders import LOGS, RESULT

LOG = "output.log"
Planned = tuple[Cell, Record]
Test = Callable[[Path], Report | None]
"""Function: a checkpoint -> the measures of its model on the test part, with results of each item; None without one.
"""


class Runs:
    """The runs of a comparison, each in a separate process.

    Args:
        output: Folder of the comparison.
        processes: Starts the processes.
        test: Measures a checkpoint.
    """

    def __init__(self, output: Path, processes: Processes, test: Test) -> None:
        self.output, self.processes, self.test = output, processes, test

    def carry_out(self, cell: Cell, record: Record) -> Record | None:
        """Trains and measures one run, unless this is done already.

        Returns:
            Its record, also written to its folder; None if the comparison was stopped before the run finished.
        """
        if record.result is not None:
            return record
        folder = self.output / LOGS / cell.name
        if not (folder / RESULT).is_file() and (reason := self._train(cell, replace(record, reason=""), folder)):
            record = replace(record, reason=reason)
        elif self.processes.stopping:
            return None
        else:
            record = self._measure(record, folder)
        record.write(folder)
        return record

    def _train(self, cell: Cell, record: Record, folder: Path) -> str:
        """Trains a run; returns the reason of a failure, if any."""
        going_on = (folder / "checkpoints" / "last.ckpt").is_file()
        if not going_on and folder.exists():
            shutil.rmtree(folder)
        record.write(folder)
        words = [*cell.arguments, *(["--ckpt_path=last"] if going_on else [])]
        words += [f"--run={cell.name}", f"--trainer.default_root_dir={self.output}"]
        log = folder / LOG
        begin = log.stat().st_size if log.exists() else 0
        code = self.processes.run(["seqlab.fit", *words, "--bar=none"], log)
        if not code or self.processes.stopping:
            return ""
        if code < 0:
            return f"ended by {signal.Signals(-code).name}"
        return last_line(log, begin) or f"exit code {code}"

    def _measure(self, record: Record, folder: Path) -> Record:
        try:
            result, corpus, task, measures = measure_run(folder)
            checkpoint = checkpoint_of(folder)
            tested = None if checkpoint is None else self.test(checkpoint)
            if tested is not None and tested.items:
                write_items(folder / ITEMS, tested.items)
        except Exception as error:  # a failed measurement must not stop other runs
            with (folder / LOG).open("a", encoding="utf-8") as log:
                traceback.print_exc(file=log)
            return replace(record, reason=f"it could not be measured: {reason_of(error)}")
        reached = {} if tested is None else {f"test_{name}": tested.measures[name] for name in tested.measures}
        kept = ITEMS if tested is not None and tested.items else ""
        return Record(
            record.name, record.arguments, record.options, {**result, **reached}, corpus, "", task, measures, kept
        )


def read_once() -> Read:
    """Reads the options of runs, only once for several seeds."""
    read: dict[tuple[str, ...], dict[str, Any]] = {}

    def options(cell: Cell) -> dict[str, Any]:
        words = (*cell.arguments[:-1],)
        if words not in read:
            read[words] = read_options([*words])
        return {**read[words], "seed": cell.seed}

    return options


def plan_runs(cells: Sequence[Cell], output: Path, read: Read) -> list[Planned]:
    """The runs with their existing or initial records; all options are checked here.

    Raises:
        UserError: An option is wrong, or a run with this name has other options.
    """
    planned = []
    for cell in cells:
        options = read(cell)
        record = check_record(cell, options, output / LOGS / cell.name)
        planned.append((cell, record or Record(cell.name, cell.arguments, options)))
    return planned


@contextmanager
def at_work(output: Path, jobs: int, test: Test) -> Iterator[Runs]:
    """The runs in a locked folder; if the context ends early, their processes are stopped.

    Raises:
        UserError: The folder is in use or cannot be written.
    """
    with sole(output) as lock, interruptible():
        processes = Processes(jobs, lock)
        try:
            yield Runs(output, processes, test)
        except BaseException:
            processes.stop()
            raise
        finally:
            processes.close()


def carry_out_all(runs: Runs, planned: Sequence[Planned], jobs: int, say: Callable[[Record], None]) -> list[Record]:
    """Executes runs, some in parallel; returns their records in order."""
    with ThreadPoolExecutor(jobs) as pool:
        futures: list[Future[Record | None]] = [pool.submit(runs.carry_out, *one) for one in planned]
        try:
            for future in as_completed(futures):
                if (record := future.result()) is not None:
                    say(record)
        except BaseException:
            _wind_up(runs.processes, pool)
            raise
    return [record for future in futures if (record := future.result()) is not None]


def _wind_up(processes: Processes, pool: ThreadPoolExecutor) -> None:
    """Waits until stopped runs have written their checkpoints; a second interruption ends the wait."""
    processes.stop()
    try:
        pool.shutdown(cancel_futures=True)
    except KeyboardInterrupt:
        processes.stop(signal.SIGKILL)
        raise
