import importlib
import random
import shutil
from pathlib import Path

import pytest
from attack.collection import KINDS, sound
from attack.verdict import outcome

EACH = 4


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("attack"))
        return sound(Path.cwd(), importlib.import_module("seqlab.fit").main)


@pytest.mark.parametrize("kind", KINDS)
def test_an_attack_is_refused_or_does_no_harm(
    kind: str, place: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, good = place
    monkeypatch.chdir(here)
    attacks = list(KINDS[kind](good, here))
    for attack in random.Random(0).sample(attacks, EACH):
        assert outcome(attack, here) == "", attack.name
        shutil.rmtree(here / "lightning_logs" / "again", ignore_errors=True)
