"""Input lines of a regression -> rows of features."""

from collections.abc import Sequence

import numpy as np

from seqlab.data.number_tables import Values, numbers_of, read_numbers
from seqlab.data.points_files import ROWS
from seqlab.errors import UserError, nearest
from seqlab.text.points_codec import PointsCodec

WHERE = "the input"


def read_inputs(lines: Sequence[str], codec: PointsCodec) -> Values:
    """The features ``(rows, features)`` of some lines.

    Args:
        lines: The features of each row in the order of the codec, or all columns of the training file; or, after a
            line of names, any columns that include the features.
        codec: Codec of the model.

    Raises:
        UserError: A feature is missing or no finite number.
    """
    table = read_numbers("\n".join(lines), WHERE, ROWS)
    width, features = len(table.names), ", ".join(codec.columns)
    if not table.headed:
        if width not in (len(codec.columns), len(codec.layout)):
            raise UserError(
                f"{WHERE} has {width} numbers in a row and the model reads {len(codec.columns)} ({features}); give "
                "these, or a first line with the names of the columns"
            )
        names = codec.columns if width == len(codec.columns) else codec.layout
        table = table._replace(names=[*names])
    if lacking := next((one for one in codec.columns if one not in table.names), None):
        raise UserError(f"{WHERE} has no column '{lacking}'; {nearest(lacking, table.names)}")
    values = numbers_of(table, codec.columns, WHERE)
    empty = np.argwhere(np.isnan(values))
    if len(empty):
        row, column = empty[0].tolist()
        raise UserError(
            f"{WHERE}, line {table.lines[row]} has no value of '{codec.columns[column]}'; the model reads {features}"
        )
    return values
