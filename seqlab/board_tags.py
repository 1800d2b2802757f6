"""TensorBoard tags of logged values: losses and measures first, then all others, in words."""

import re
from collections.abc import Iterable
from typing import Any

GROUPS = {
    "gates": "gates",
    "gradient_flow": "gradient flow",
    "spectral_radius": "spectral radius",
    "state_norm": "state norm",
    "gradients": "gradient norm by part",
    "update_ratio": "update over weight",
    "speed": "speed",
    "attention_distance": "attention distance",
    "best": "best so far",
}
"""Groups of numbers other than training and validation, by the first part of their names."""

GATES = {
    "r": "reset gate",
    "z": "update gate",
    "i": "input gate",
    "f": "forget gate",
    "o": "output gate",
    "g": "candidate",
    "n": "candidate",
    "h": "state",
}
"""Names of the gates of the cells, by the letters of their equations."""

PATTERNS = (
    (r"\blayer(\d+)", r"layer \1"),
    (r"[/_]lag_(\d+)$", r", \1 steps back"),
    (r"_head(\d+)$", r", head \1"),
    (r"_(closed|open)$", r", \1"),
    (r"_ms$", " in ms"),
    (r"memory_mb$", "memory in MB"),
    (r"share_of_peak$", "share of peak"),
    (r"gflops$", "GFLOP per second"),
)


def gate_words(name: str) -> str:
    """``layer 0, update gate`` for ``layer0/z``."""
    layer, _, gate = name.partition("/")
    return f"{re.sub(*PATTERNS[0], layer)}, {GATES.get(gate, gate)}" if gate else name


def board_tag(name: str) -> str:
    """The tag of a number or a histogram; names from other projects stay unchanged.

    TensorBoard sorts groups by name, so groups that begin with *watch* come after *train* and *val*.
    """
    group, _, rest = name.partition("/")
    if group not in GROUPS or not rest:
        return name
    for pattern, words in PATTERNS:
        rest = re.sub(pattern, words, rest)
    what, comma, how = rest.partition(",")
    return f"watch {GROUPS[group]}/{gate_words(what)}{comma}{how}"


def picture_tag(name: str) -> str:
    """The tag of a figure, which TensorBoard shows after losses and measures, as in ``board_tag``."""
    return f"watch pictures/{name}"


def layout(names: Iterable[str]) -> dict[str, Any]:
    """Charts of training against validation, one for each of several measures, for TensorBoard's custom scalars."""
    charts = {name: ["Multiline", [f"train/{name}$", f"val/{name}$"]] for name in names}
    return {"training against validation": charts}
