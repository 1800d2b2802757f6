"""Images <-> inputs of a network."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class ImageCodec:
    """Size of images, order of their pixels, and their standardization.

    Args:
        height: Height in pixels.
        width: Width in pixels.
        view: Shape of an image for the network: auto, vector, image, rows or pixels; auto is the network's default.
        order: Source position of each pixel, row by row; None for the normal order.
        mean: Mean of the grey levels of the training part, from 0 to 1.
        deviation: Standard deviation of these grey levels, above 0.
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
