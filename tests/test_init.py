import os
import subprocess
import sys

import pytest

import seqlab

SAY = "import os; print(os.environ.get('GOMP_SPINCOUNT'))"


@pytest.mark.parametrize(
    ("given", "first", "spins"),
    [
        ({}, "", seqlab.SPINS),
        ({"GOMP_SPINCOUNT": "7"}, "", "7"),
        ({"OMP_WAIT_POLICY": "active"}, "", "None"),
        ({}, "import sys; sys.modules['torch'] = None; ", "None"),
    ],
    ids=["nothing", "a count", "a policy", "torch is there"],
)
def test_threads_wait_asleep_unless_the_user_says_how(given: dict[str, str], first: str, spins: str) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    command = [sys.executable, "-c", f"{first}import seqlab; {SAY}"]
    done = subprocess.run(command, env={**kept, **given}, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == spins
