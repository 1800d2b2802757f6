from argparse import ArgumentParser

import pytest

from seqlab.cli.help_rows import HELP_COLUMN, help_rows

WIDTH = 80


@pytest.mark.parametrize("name", ["--short", "--option_whose_name_is_as_long_as_a_column_of_help"])
def test_what_an_option_does_stands_in_one_column(name: str) -> None:
    action = ArgumentParser().add_argument(name, type=int, default=3, help="What it does, in words " * 4)
    rows = "\n".join(help_rows(action, WIDTH)).splitlines()
    assert rows[0].startswith(f"  {name} INT")
    assert max(map(len, rows)) <= WIDTH
    assert len({len(row) - len(row.lstrip()) for row in rows[1:]}) == 1
    assert rows[-1][:HELP_COLUMN].isspace()
    assert rows[-1].endswith(" [3]")


def test_what_asks_for_help_is_called_by_its_long_name() -> None:
    (action,) = ArgumentParser()._actions
    assert help_rows(action, WIDTH)[0].startswith("  --help ")
