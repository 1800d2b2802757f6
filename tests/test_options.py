import math
from dataclasses import FrozenInstanceError, dataclass, fields
from typing import Any, Literal

import pytest

from seqlab.errors import UserError
from seqlab.models import TASKS
from seqlab.options import Bounds, Options, option


@dataclass(frozen=True)
class Toy(Options):
    units: int | list[int] = option(8, "Units of each layer.", least=1)
    layers: int | None = option(None, "Layers; 1 if not given.", least=1, most=9)
    share: float = option(0.5, "Share of units.", least=0, below=1)
    factor: float = option(2.0, "Factor.", above=1)
    shares: list[float] = option([0.25, 0.75], "Shares.", least=0)
    smoothing: Literal["none", "laplace"] = option("none", "none or laplace.")
    cell: str = option("gru", "Cell.", choices=("gru", "lstm"))
    vectors: str | None = option(None, "File.", once=True)
    tied: bool = option(False, "Whether they are one.")


@dataclass(frozen=True)
class More(Toy):
    extra: int = option(3, "More.", least=0)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"units": 0}, "units 0 must be a whole number of at least 1, or a list of such"),
        ({"units": [3, 0]}, "units [3, 0] must be a whole number of at least 1, or a list of such"),
        ({"units": []}, "units [] must be a whole number of at least 1, or a list of such"),
        ({"units": True}, "units True must be a whole number of at least 1, or a list of such"),
        ({"units": 2.5}, "units 2.5 must be a whole number of at least 1, or a list of such"),
        ({"units": [2, 2.5]}, "units [2, 2.5] must be a whole number of at least 1, or a list of such"),
        ({"layers": 10}, "layers 10 must be a whole number of at most 9"),
        ({"share": 1.0}, "share 1.0 must be at least 0 and below 1"),
        ({"share": -0.5}, "share -0.5 must be at least 0 and below 1"),
        ({"share": math.nan}, "share nan must be at least 0 and below 1"),
        ({"share": "half"}, "share half must be at least 0 and below 1"),
        ({"factor": 1.0}, "factor 1.0 must be above 1"),
        ({"shares": [0.5, -0.5]}, "shares [0.5, -0.5] must be at least 0, or a list of such"),
        ({"smoothing": "laplas"}, "unknown smoothing 'laplas': did you mean 'laplace'?"),
        ({"cell": "transformer"}, "unknown cell 'transformer': choose one of gru, lstm"),
    ],
    ids=str,
)
def test_what_is_out_of_its_bounds_is_refused(wrong: dict[str, Any], words: str) -> None:
    for kind in (Toy, More):
        with pytest.raises(UserError) as caught:
            kind(**wrong)
        assert str(caught.value) == words


@pytest.mark.parametrize(
    "right",
    [
        {"units": 1},
        {"units": [1, 2]},
        {"layers": 1},
        {"layers": 9},
        {"layers": None},
        {"share": 0},
        {"share": 0.999},
        {"factor": math.inf},
        {"smoothing": "laplace"},
        {"cell": "lstm"},
    ],
    ids=str,
)
def test_what_lies_on_a_bound_is_taken(right: dict[str, Any]) -> None:
    made = Toy(**right)
    assert all(getattr(made, name) == value for name, value in right.items())


def test_bounds_hold_nothing_that_is_no_number() -> None:
    assert Bounds().hold(5)
    assert not Bounds().hold(math.nan)
    assert Bounds(least=0, below=1).rule(whole=False) == "at least 0 and below 1"
    assert Bounds(above=0.5, most=2).rule(whole=False) == "above 0.5 and at most 2"
    assert Bounds(least=1).rule(whole=True) == "a whole number of at least 1"


def test_plain_values_make_the_same_options_again() -> None:
    made = More(units=[4, 5], cell="lstm", vectors="glove.txt", extra=7)
    plain = made.plain()
    assert list(plain) == [each.name for each in fields(More) if each.name != "vectors"]
    assert Toy.read_once() == ["vectors"]
    assert (plain["units"], plain["cell"], plain["extra"], plain["layers"]) == ([4, 5], "lstm", 7, None)
    assert More.from_plain(plain) == More(units=[4, 5], cell="lstm", extra=7)
    assert More.from_plain({}) == More()


def test_plain_values_are_copies() -> None:
    made = Toy(units=[4, 5])
    made.plain()["units"].append(6)
    assert made.units == [4, 5]
    Toy().shares.append(0.5)
    assert Toy().shares == [0.25, 0.75]


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        Toy.from_plain({"unit": 3})
    assert str(caught.value) == "unknown option 'unit': did you mean 'units'?"
    with pytest.raises(UserError, match="^share 2 must be at least 0 and below 1$"):
        Toy.from_plain({"share": 2})


def test_options_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Toy().units = 3


NETWORKS = [*dict.fromkeys(network.options for task in TASKS.values() for network in task.networks.values())]


@pytest.mark.parametrize("kind", NETWORKS, ids=lambda kind: kind.__name__)
def test_every_option_of_a_network_is_documented_and_has_a_default(kind: type[Options]) -> None:
    for each in fields(kind):
        assert each.metadata["help"].endswith("."), each.name
    assert kind.from_plain(kind().plain()) == kind()


def test_every_number_of_a_network_is_bounded() -> None:
    loose = {
        f"{kind.__name__}.{each.name}"
        for kind in NETWORKS
        for each in fields(kind)
        if isinstance(each.default, int | float) and not isinstance(each.default, bool)
        if each.metadata["bounds"] == Bounds()
    }
    assert not loose
