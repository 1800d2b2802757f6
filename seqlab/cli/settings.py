"""All options of a run, read from a plan and checked."""

from typing import Any, NamedTuple

import yaml
from jsonargparse import ActionConfigFile, Namespace

from seqlab import VERBS
from seqlab.cli.arguments import (
    EXAMPLES,
    MORE,
    USAGE,
    TrainingParser,
    add_chosen_options,
    add_run_options,
    options_of_runs,
)
from seqlab.cli.parser import spell_choices
from seqlab.cli.plan import CHOICES, Plan, plan
from seqlab.errors import UserError


class Settings(NamedTuple):
    """The options of a run.

    Args:
        plan: The choices.
        parser: Parser of the other options.
        config: All options, by their dotted names.
    """

    plan: Plan
    parser: TrainingParser
    config: Namespace

    def of(self, group: str) -> dict[str, Any]:
        """The options of a choice, without its name."""
        values: dict[str, Any] = self.config[group].as_dict()
        return {key: value for key, value in values.items() if key != "name"}

    def of_changed(self, group: str) -> dict[str, Any]:
        """The options of a choice that differ from their defaults."""
        defaults = self.parser.get_defaults()
        return {key: value for key, value in self.of(group).items() if value != defaults.get(f"{group}.{key}")}

    def as_yaml(self) -> str:
        """A file for ``--config`` that makes the same run under any name."""
        config = self.config.clone()
        config.run = config.ckpt_path = None
        config.overwrite = False
        config.take_over = False
        return str(self.parser.dump(config, skip_unset=False))

    def as_plain(self) -> dict[str, Any]:
        """The options as plain values."""
        values: dict[str, Any] = yaml.safe_load(self.as_yaml())
        return values

    def changes(self) -> list[str]:
        """``hidden_size=512`` for every option of the command line that changes training."""
        words = self.plan.arguments
        given = {word.removeprefix("--").split("=")[0] for word in words if word[:2] == "--"}
        given -= {"model.name", "data.name", "data.root", "data.name_shown"}
        keys = [a.dest for a in self.parser._actions if a.dest in given and not a.dest.endswith("path")]
        return [
            f"{key.partition('.')[2] if not key.endswith('.name') else key.partition('.')[0]}={self.config[key]}"
            for key in keys
            if key.partition(".")[0] in CHOICES
        ]


def planned(argv: list[str]) -> Plan:
    """``plan``; where that refuses a checkpoint, a file or a name, an unknown option is refused first.

    Raises:
        UserError: An option is unknown, or as ``plan``.
    """
    try:
        return plan(argv)
    except UserError:
        _of_every_run(TrainingParser).check_names(spell_choices(argv, CHOICES), options_of_runs())
        raise


def _of_every_run(kind: type[TrainingParser]) -> TrainingParser:
    """A parser of the options that every run has."""
    parser = kind(usage=USAGE, description=VERBS["fit"], examples=EXAMPLES, epilog=MORE, default_env=False)
    parser.add_argument("-c", "--config", action=ActionConfigFile, help="YAML file of options.")
    add_run_options(parser)
    return parser


def read_settings(chosen: Plan, parser_kind: type[TrainingParser] = TrainingParser) -> Settings:
    """Reads the command line of a plan.

    Raises:
        UserError: An option is unknown, or its value is not of its type or out of its range.
    """
    parser = _of_every_run(parser_kind)
    add_chosen_options(parser, chosen)
    config = parser.parse_sentence(chosen.arguments)
    if not 0 <= config.seed < 2**32:
        raise UserError(f"seed {config.seed} must be at least 0 and below 2**32")
    return Settings(chosen, parser, config)
