"""``python -m seqlab.memory --model rnn,gru,lstm``: measures how far back a cell learns to remember."""

import math
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from seqlab import VERBS
from seqlab.analysis.learning import SOLVED, learn
from seqlab.analysis.memory_rows import Row, RowFile
from seqlab.analysis.memory_tables import markdown_table, means
from seqlab.cells import CELLS
from seqlab.cli.parser import Parser, pick
from seqlab.cli.process import run_verb
from seqlab.data.memory_tasks import TASKS
from seqlab.errors import UserError, reason_of
from seqlab.files import write_whole
from seqlab.nn.linear_readout import LinearReadout
from seqlab.recurrence.initialization import INITIALIZATIONS
from seqlab.runs.devices import choose_device
from seqlab.runs.writable import check_folder

USAGE = "python -m seqlab.memory [--OPTION VALUE ...]"
EXAMPLES = (
    "python -m seqlab.memory --lengths 10,25",
    "python -m seqlab.memory --model rnn,gru,lstm --output memory",
)
LONGEST = 10**6
"""Most steps of a sequence."""


@dataclass(frozen=True)
class Memory:
    """Results of cells in tasks that need memory.

    Args:
        rows: A row for each trained network.
    """

    rows: list[Row]

    @property
    def tasks(self) -> list[str]:
        """Names of the measured tasks."""
        return [name for name in TASKS if any(row.task == name for row in self.rows)]

    def success(self, task: str) -> dict[str, dict[int, float]]:
        """Share of right answers on held-out sequences by model and length, mean over the seeds."""
        return means((row for row in self.rows if row.task == task), lambda row: row.success)

    def loss(self, task: str) -> dict[str, dict[int, float]]:
        """Loss on held-out sequences by model and length, mean over the seeds."""
        return means((row for row in self.rows if row.task == task), lambda row: row.loss)

    def __str__(self) -> str:
        return "\n\n".join(map(self._tables, self.tasks))

    def _tables(self, name: str) -> str:
        task = TASKS[name]
        lengths = sorted({row.length for row in self.rows if row.task == name})
        success = {**self.success(name), "chance": dict.fromkeys(lengths, task.chance())}
        loss = {**self.loss(name), "chance": {length: task.chance_loss(length) for length in lengths}}
        lines = [f"{name}: {task.success_words}, by length in steps (chance: {task.chance_words})", ""]
        lines += [*markdown_table(lengths, success, ".1%"), "", f"{name}: {task.loss_words}", ""]
        return "\n".join([*lines, *markdown_table(lengths, loss, ".4f")])


def memory(
    model: list[str] | str = "rnn,gru,lstm",
    task: str = "both",
    lengths: list[int] | str = "10,25,50,100,200",
    hidden_size: int = 64,
    num_layers: int = 1,
    batch_size: int = 32,
    max_steps: int = 1500,
    lr: float = 0.005,
    init: str = "orthogonal",
    forget_bias: float = 1.0,
    seed: int = 1,
    seeds: int = 1,
    device: str = "auto",
    output: str | None = None,
    progress: bool = False,
) -> Memory:
    """Trains each cell in each task at each length, until the task is solved or the step limit is reached.

    Args:
        model: Cells, separated by commas.
        task: adding (the sum of two marked values), copy (repeat ten symbols after a delay) or both.
        lengths: Steps of the sequence (adding) or of the delay (copy), separated by commas.
        hidden_size: Units in each recurrent layer.
        num_layers: Number of recurrent layers.
        batch_size: Sequences in a batch.
        max_steps: Most optimizer steps; training stops earlier when the task is solved.
        lr: Learning rate of Adam.
        init: torch, normal, xavier or orthogonal (recurrent weights).
        forget_bias: Initial bias of the forget gate, for cells that have one.
        seed: Random seed of the initial weights and the sequences.
        seeds: Runs of each network, with seeds from that seed on; tables and figure show their mean.
        device: auto, cpu or cuda.
        output: Folder for memory.csv, memory.md, memory.png; results in the CSV are shown without new training.
        progress: Whether to print the result of each network on stderr.

    Returns:
        The results, new ones and those already in the folder.

    Raises:
        UserError: A name, a number, a device or the folder cannot be used.
    """
    counts = {"hidden_size": hidden_size, "num_layers": num_layers, "batch_size": batch_size, "max_steps": max_steps}
    for name, count in {**counts, "seeds": seeds}.items():
        if count < 1:
            raise UserError(f"{name} {count} must be a whole number of at least 1")
    if seed < 0:
        raise UserError(f"seed {seed} must be a whole number of at least 0")
    if seed + seeds > 2**63:
        raise UserError(f"seed {seed} must leave room for {seeds} seeds below 2**63")
    if not 0 < lr < math.inf:
        raise UserError(f"lr {lr} must be a number above 0")
    init = pick("init", init, INITIALIZATIONS)
    models = dict.fromkeys(pick("model", name, CELLS) for name in _unique(model))
    task = pick("task", task, [*TASKS, "both"])
    wanted = [
        (TASKS[name](length, batch_size, each_seed), each_model)
        for name in ([*TASKS] if task == "both" else [task])
        for length in dict.fromkeys(map(_whole, _unique(lengths)))
        for each_model in models
        for each_seed in range(seed, seed + seeds)
    ]
    where = choose_device(device)
    options = {**counts, "lr": float(lr), "init": init, "forget_bias": float(forget_bias)}
    if output is not None:
        check_folder(Path(output))
    file = None if output is None else RowFile(Path(output) / "memory.csv", options)
    rows = [] if file is None else [*file.rows]
    done = {row.key for row in rows}
    missing = [(each, cell) for each, cell in wanted if (each.name, cell, each.length, each.seed) not in done]
    for number, (each, cell) in enumerate(missing, 1):
        began = time.monotonic()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(each.seed)
            network = LinearReadout(cell, each.input_size, hidden_size, each.output_size, num_layers, init, forget_bias)
        reached = learn(network, each, max_steps, lr, where)
        rows.append(Row(each.name, cell, each.length, each.seed, *reached, round(time.monotonic() - began, 1)))
        if file is not None:
            file.add(rows[-1])
        if progress:
            print(f"{_line(rows[-1])} ({number} of {len(missing)})", file=sys.stderr, flush=True)
    found = Memory(rows)
    if output is not None:
        _write(found, Path(output))
    return found


def draw(found: Memory, path: Path) -> None:
    """Draws success against length as a PNG file, a panel for each task.

    Raises:
        UserError: The file cannot be written.
    """
    from seqlab.analysis.memory_picture import Panel, draw_success  # imports matplotlib, which is slow
    from seqlab.figures import save_figure

    panels = [Panel(name, TASKS[name].success_words, found.success(name), TASKS[name].chance()) for name in found.tasks]
    save_figure(draw_success(panels), path)


def _write(found: Memory, folder: Path) -> None:
    path = folder / "memory.md"
    try:
        write_whole(path, f"{found}\n")
    except OSError as error:
        raise UserError(f"cannot write {path}: {reason_of(error)}; name a folder that can be written") from None
    draw(found, folder / "memory.png")


def _line(row: Row) -> str:
    end = "solved" if row.success >= SOLVED else "stopped"
    return (
        f"{row.task}, {row.model}, length {row.length}, seed {row.seed}: success {row.success:.1%}, "
        f"loss {row.loss:.4f}, {end} after {row.steps:,} steps, {row.seconds} s"
    )


def _unique(words: Iterable[object] | str) -> list[str]:
    """The values between commas, or in a list, each once."""
    each = words.split(",") if isinstance(words, str) else map(str, words)
    return list(dict.fromkeys(word.strip() for word in each))


def _whole(word: str) -> int:
    try:
        length = int(word)
    except ValueError:
        raise UserError(f"--lengths '{word}' must be whole numbers with commas between, as in 10,25,50") from None
    if length > LONGEST:
        raise UserError(f"--lengths {length} must be at most {LONGEST:,} steps each")
    return length


def _run(argv: list[str]) -> None:
    parser = Parser(usage=USAGE, description=VERBS["memory"], examples=EXAMPLES)
    parser.add_function_arguments(memory, skip={"progress"})
    config = parser.parse_sentence(argv).as_dict()
    print(memory(**config, progress=True))
    if config["output"] is not None:
        print("", f"Figure: {config['output']}/memory.png", sep="\n")


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_verb(_run, argv, lasting=True)


if __name__ == "__main__":
    sys.exit(main())
