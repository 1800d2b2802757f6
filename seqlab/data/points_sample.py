"""Points by formula, for whoever has no file."""

import numpy as np

from seqlab.data.points_files import Kind, PointsLayout, RawPoints
from seqlab.errors import UserError

ROWS, NOISE = 1000, 0.01
"""How many there are, and the deviation of their noise."""
NAMES = "x1", "x2", "y"


def generated(kind: Kind | None) -> RawPoints:
    """Two features, normal, with a target of which the truth is known, always the same.

    Numbers are y = 2 x1 - 3.4 x2 + 4.2 and normal noise (Dive into Deep Learning, section 3.3); of two values, blue and
    red, red has the log-odds 2 x1 - 3.4 x2 + 1.
    """
    rng = np.random.default_rng(0)
    features = rng.normal(size=(ROWS, 2))
    slopes = features @ [2.0, -3.4]
    if kind == "two":
        red = rng.random(ROWS) < 1 / (1 + np.exp(-slopes - 1))
        targets = np.where(red, "red", "blue").tolist()
    else:
        targets = [repr(value) for value in (slopes + 4.2 + NOISE * rng.normal(size=ROWS)).tolist()]
    return RawPoints(features, targets, [f"generated row {row + 1}" for row in range(ROWS)])


def check_generated(layout: PointsLayout) -> PointsLayout:
    """The layout of generated points.

    Raises:
        UserError: Columns were asked for as of a file.
    """
    *columns, target = NAMES
    if [*(layout.columns or columns)] != columns or layout.target not in (None, target):
        raise UserError("--data.columns and --data.target_column are of a file; name one with --data.path")
    return PointsLayout(target, columns, None, NAMES)
