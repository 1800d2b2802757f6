from inspect import signature

import pytest
from lightning.pytorch import Trainer

from seqlab.bounds import BOUNDS, check_bounds, check_named
from seqlab.errors import UserError


@pytest.mark.parametrize(
    ("option", "value", "rule"),
    [
        ("patience", -1, "a whole number of at least 0"),
        ("trainer.val_check_interval", 0, "above 0"),
        ("trainer.num_sanity_val_steps", -7, "a whole number of at least -1"),
        ("lr_scheduler.T_max", 0, "a whole number of at least 1"),
        ("data.num_subwords", 3 * 10**9, "a whole number of at most 1,000,000"),
        ("beam_size", 10**9, "a whole number of at most 1,000"),
        ("data.horizon", 10**30, f"a whole number of at most {2**63:,}"),
        ("length_penalty", 2**63, "a whole number of at most 100"),
        ("trainer.devices", "1000000000000", "a whole number of at most 10,000"),
    ],
)
def test_a_number_out_of_bounds_is_named(option: str, value: int | str, rule: str) -> None:
    with pytest.raises(UserError) as caught:
        check_bounds(option, value)
    assert str(caught.value) == f"--{option} {value} must be {rule}"


@pytest.mark.parametrize("value", [None, True, "auto", "4", 1, 0.5])
def test_what_is_within_or_no_number_is_not_its_concern(value: object) -> None:
    check_bounds("trainer.val_check_interval", value)
    check_bounds("unknown", value)
    check_bounds("unknown", float("inf"))
    check_bounds("prefix", "9" * 25)


def test_every_option_of_the_trainer_is_one() -> None:
    named = {option.removeprefix("trainer.") for option in BOUNDS if option.startswith("trainer.")}
    assert named <= {*signature(Trainer).parameters}


@pytest.mark.parametrize("words", [["--run", ""], ["--run="], ["--data.val_path", " "], ["--model", "", "--seed", "1"]])
def test_nothing_is_named_by_nothing(words: list[str]) -> None:
    with pytest.raises(UserError, match="is empty; give it a value, or leave it out"):
        check_named(words)


def test_text_may_be_empty() -> None:
    check_named(["CKPT", "--prefix", "", "--trainer.logger.prefix", ""])
