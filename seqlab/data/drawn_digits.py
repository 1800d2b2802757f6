"""Digits drawn by code: the sample that replaces a missing corpus of digits."""

import numpy as np
from numpy.typing import NDArray

from seqlab.data.image_files import Pictures

STROKES: dict[str, str] = {
    "0": "50,8 78,25 80,60 68,88 42,92 22,72 20,38 34,14 50,8",
    "1": "34,26 54,8 54,92",
    "2": "22,28 38,10 64,10 76,28 68,48 24,90 80,90",
    "3": "24,16 52,8 74,22 68,42 46,48 72,54 78,74 58,92 24,84",
    "4": "62,92 62,8 20,62 82,62",
    "5": "74,10 32,10 28,46 56,42 76,58 70,84 44,92 22,82",
    "6": "68,10 38,32 24,66 38,90 64,90 76,70 62,52 38,54 26,68",
    "7": "20,10 78,10 46,92",
    "8": "50,48 28,34 32,14 52,8 70,16 72,34 50,48 26,66 32,88 54,92 74,84 74,64 50,48",
    "9": "74,34 58,50 34,46 26,28 40,10 62,10 74,34 66,66 48,92",
}
"""Corners of the line that draws each digit, in hundredths of its box, from the left and from the top."""


def drawn_digits(images: int, size: int) -> Pictures:
    """Digits with varying slant, rotation and thickness, from a fixed seed.

    Args:
        images: Number of images, spread evenly over the ten digits.
        size: Height and width of each, in pixels.
    """
    pixels = np.stack([drawn_digit(number, size) for number in range(images)])
    numbers = range(images)
    return Pictures(pixels, [str(number % 10) for number in numbers], [f"drawn:{size}:{number}" for number in numbers])


def drawn_digit(number: int, size: int) -> NDArray[np.uint8]:
    """One image; its label is the last digit of its number. A pixel is lighter the nearer it is to a bent line."""
    rng = np.random.default_rng([0, number])
    corners = np.array([[float(place) for place in corner.split(",")] for corner in STROKES[str(number % 10)].split()])
    corners = (corners - 50) / 100 + rng.normal(scale=0.025, size=corners.shape)
    angle, slant, (wide, tall) = rng.normal(scale=0.12), rng.normal(scale=0.2), rng.uniform(0.55, 0.8, 2)
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = corners @ np.array([[wide, 0], [-slant * wide, tall]]) @ turned + 0.5 + rng.normal(scale=0.03, size=2)
    middle = (np.arange(size) + 0.5) / size
    points = np.stack(np.meshgrid(middle, middle), -1)[:, :, None]  # (size, size, 1, 2), from the left and the top
    begin, along = corners[:-1], np.diff(corners, axis=0)
    place = (((points - begin) * along).sum(-1) / (along**2).sum(-1)).clip(0, 1)
    distance = np.sqrt(((points - begin - place[..., None] * along) ** 2).sum(-1)).min(-1)
    light = (rng.uniform(0.045, 0.075) - distance) * size + 0.5
    return np.asarray((light.clip(0, 1) * 255).round(), dtype=np.uint8)
