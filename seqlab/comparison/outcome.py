"""The results of a comparison, written as tables and figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seqlab.comparison.grid import Cell
from seqlab.comparison.pairing import Pair, pair_rows, pairs_as_csv, pairs_as_markdown
from seqlab.comparison.records import Record
from seqlab.comparison.rows import ResampledOf, Row, rows_of
from seqlab.comparison.table import as_csv, as_markdown, runs_as_csv
from seqlab.errors import UserError, reason_of
from seqlab.files import write_whole
from seqlab.runs.folders import LOGS

PAIRED = (
    "Each difference is the row's measure minus the other's on the same test items; [low .. high] is its 95% interval "
    "over resampled items, p is how often chance alone makes one as large in either direction."
)


@dataclass(frozen=True)
class Comparison:
    """The results of a comparison.

    Args:
        rows: Rows of the table, one for each combination.
        records: Records of all runs that finished or failed.
        pairs: Rows against the best row and against the bar, on the same held-out items; none for a single row.
        files: Tables and figures.
    """

    rows: Sequence[Row]
    records: Sequence[Record]
    pairs: Sequence[Pair]
    files: Sequence[Path]

    @property
    def failed(self) -> list[Record]:
        """Records of the runs that failed."""
        return [record for record in self.records if record.reason]

    def __str__(self) -> str:
        tables = [as_markdown(self.rows), *([pairs_as_markdown(self.pairs)] if self.pairs else [])]
        return "\n\n".join(tables)


def write_comparison(runs: Sequence[tuple[Cell, Record]], output: Path, resampled: ResampledOf) -> Comparison:
    """Writes tables and figures of runs.

    Args:
        runs: All runs with their results.
        output: Folder of the comparison.
        resampled: Measures over items.

    Raises:
        UserError: A file cannot be written.
    """
    from seqlab.comparison.charts import draw_figures  # imports matplotlib, which is slow

    logs = output / LOGS
    rows = rows_of(runs, logs, resampled)
    pairs = pair_rows(rows, logs, resampled)
    texts = {
        "table.md": f"{as_markdown(rows)}\n\n{_note(rows)}\n",
        "table.csv": as_csv(rows),
        "runs.csv": runs_as_csv(runs),
    }
    if pairs:
        texts |= {"paired.md": f"{pairs_as_markdown(pairs)}\n\n{PAIRED}\n", "paired.csv": pairs_as_csv(pairs)}
    for name in {"paired.md", "paired.csv"} - texts.keys():  # from an earlier comparison with more rows
        (output / name).unlink(missing_ok=True)
    for name, text in texts.items():
        try:
            write_whole(output / name, text)
        except OSError as error:
            raise UserError(f"cannot write {output / name}: {reason_of(error)}; choose another --output") from None
    files = [*(output / name for name in texts), *draw_figures(rows, logs, output)]
    return Comparison(rows, [record for _, record in runs], pairs, files)


def _note(rows: Sequence[Row]) -> str:
    """A note on the numbers of the table."""
    corpora = ", ".join(sorted({row.corpus for row in rows if row.corpus}))
    over = "over seeds"
    if any(row.folds for row in rows):
        over = "over runs; with folds, that of a test measure is over the items of all folds together"
    return f"On {corpora or 'no corpus'}; [low .. high] is the bootstrap 95% interval of a mean {over}."
