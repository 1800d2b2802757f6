from dataclasses import dataclass
from typing import ClassVar, Literal

import pytest

from seqlab.cli.arguments import TrainingParser, add_chosen_options, add_options, add_run_options
from seqlab.cli.parser import Parser
from seqlab.cli.plan import plan
from seqlab.errors import UserError
from seqlab.options import Options, option


@dataclass(frozen=True)
class Soup(Options):
    """Options of a soup."""

    refused: ClassVar[dict[str, str]] = {"sugar": "is for cakes; leave it out"}

    salt: float = option(0.5, "Grams of salt.", least=0)
    heat: Literal["low", "high"] = option("low", "Of the fire.")
    cook: str = option("me", "Who cooks.")


@pytest.fixture
def parser() -> Parser:
    made = Parser(prog="soup")
    add_options(made, Soup, "soup", skip={"cook"})
    return made


def test_options_say_what_their_fields_say(parser: Parser) -> None:
    said = {action.dest: action.help for action in parser._actions}
    assert (said["soup.salt"], said["soup.heat"]) == ("Grams of salt.", "Of the fire.")
    assert "soup.cook" not in said
    assert parser.parse_sentence(["--soup.salt", "2"]).soup.as_dict() == {"salt": 2.0, "heat": "low"}


def test_why_there_is_no_such_option(parser: Parser) -> None:
    with pytest.raises(UserError, match="^sugar is for cakes; leave it out$"):
        parser.parse_sentence(["--soup.sugar", "1"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], {"optimizer.lr": 0.002, "trainer.max_epochs": 20}),
        (["--optimizer", "sgd"], {"optimizer.lr": 0.001}),
        (["--model", "ngram"], {"trainer.max_epochs": 1}),
        (["--lr_scheduler", "warmupcosinelr"], {"lr_scheduler.interval": "step"}),
        (["--lr_scheduler", "steplr"], {"lr_scheduler.interval": "epoch"}),
        (["--lr_scheduler", "reducelronplateau"], {"lr_scheduler.interval": None}),  # it counts validations
    ],
)
def test_defaults_follow_what_was_chosen(words: list[str], expected: dict[str, object]) -> None:
    parser = TrainingParser(default_env=False)
    add_run_options(parser)
    add_chosen_options(parser, plan(words))
    defaults = parser.get_defaults()
    assert {name: defaults.get(name) for name in expected} == expected
    assert (defaults.seed, defaults.patience, defaults.monitor, defaults.on_nan) == (1, 5, "val/loss", "stop")
