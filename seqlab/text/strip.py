"""Pictures of a line of signs <-> columns of ink, all of one height."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seqlab.errors import UserError

DARKEST = 127
"""Median of the border from which on a picture is dark signs on light paper."""
WIDEST = 2**15
"""Columns of the widest picture that is read."""


class Strip:
    """What a network that reads pictures column by column is fed: light signs on a dark ground, so many rows high.

    Args:
        height: Rows of every picture.
    """

    def __init__(self, height: int) -> None:
        self.height = height

    @property
    def vocab_size(self) -> int:
        """Numbers in a column."""
        return self.height

    def columns(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A picture from left to right: one of another height is scaled, one with a light border turned around.

        Args:
            picture: Brightness ``(rows, columns)`` from 0 to 255.

        Returns:
            ``(columns, height)``.

        Raises:
            UserError: It is too wide.
        """
        border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
        turned = 255 - picture if np.median(border) > DARKEST else picture
        return self.scaled(turned).T

    def scaled(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Light on dark ``(rows, columns)`` at this height.

        Raises:
            UserError: It would be too wide.
        """
        rows, columns = picture.shape
        wide = max(1, round(columns * self.height / rows))
        if wide > WIDEST:
            raise UserError(
                f"a picture of {columns:,} x {rows:,} dots would be {wide:,} columns wide at the {self.height} rows "
                f"that are read, more than {WIDEST:,}; cut it"
            )
        if rows == self.height:
            return picture
        return np.array(Image.fromarray(picture).resize((wide, self.height), Image.Resampling.BILINEAR), np.uint8)

    def state(self) -> dict[str, object]:
        """Plain values that ``from_state`` makes this of again."""
        return {"kind": "strip", "height": self.height}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """That which gave this state."""
        return cls(state["height"])
