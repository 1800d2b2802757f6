"""Images <-> what a network reads of them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class ImageCodec:
    """How large images are, in which order their pixels are read, and what standardizes them.

    Args:
        height: Pixels.
        width: Pixels.
        view: auto, vector, image, rows or pixels: as what a network reads an image; auto leaves it the choice.
        order: Where each pixel comes from, in a row after a row; none where they stay in their places.
        mean: Mean of the grey levels of the training part, from 0 to 1.
        deviation: Standard deviation of them, above 0.
    """

    height: int
    width: int
    view: str
    order: list[int] | None
    mean: float
    deviation: float

    @property
    def vocab_size(self) -> int:
        """Pixels of an image."""
        return self.height * self.width

    def state(self) -> dict[str, object]:
        """Plain values that ``from_state`` rebuilds this codec from."""
        return {"kind": "image", **asdict(self)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The codec that gave this state."""
        return cls(**{name: value for name, value in state.items() if name != "kind"})
