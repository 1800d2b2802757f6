"""Pictures of a line of signs <-> columns of ink, all of the same height."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seqlab.errors import UserError

DARKEST = 127
"""Median brightness of the border from which a picture counts as dark on light."""
WIDEST = 2**15
"""Most columns of a picture."""


class Strip:
    """Codec for networks that read pictures column by column: light signs on dark background, with a fixed height.

    Args:
        height: Rows of every picture.
    """

    def __init__(self, height: int) -> None:
        self.height = height

    @property
    def vocab_size(self) -> int:
        """Number of values in a column."""
        return self.height

    def columns(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The columns of a picture from left to right; it is scaled to the height, and inverted if its border is light.

        Args:
            picture: Brightness ``(rows, columns)`` from 0 to 255.

        Returns:
            ``(columns, height)``.

        Raises:
            UserError: The picture is too wide.
        """
        border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
        turned = 255 - picture if np.median(border) > DARKEST else picture
        return self.scaled(turned).T

    def scaled(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A light-on-dark picture ``(rows, columns)``, scaled to this height.

        Raises:
            UserError: The result would be too wide.
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
        """Plain values that ``from_state`` rebuilds this codec from."""
        return {"kind": "strip", "height": self.height}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The codec that gave this state."""
        return cls(state["height"])
