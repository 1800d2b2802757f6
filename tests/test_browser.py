import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seqlab.fit import main
from tests.browser import chromium, tensorboard, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (shutil.which("chromium") and shutil.which("chromedriver")), reason="no Chromium is here"),
]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory, small: list[str]) -> Path:
    root = tmp_path_factory.mktemp("browsed")
    fit = [*small, "--trainer.log_every_n_steps", "5", "--trainer.default_root_dir", str(root), "--run", "shown"]
    assert main([*fit, "--watch", "full"]) == 0
    return root / "lightning_logs"


@pytest.fixture(scope="module")
def address(logs: Path) -> Iterator[str]:
    with tensorboard(logs) as found:
        yield found


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    pytest.importorskip("selenium")
    with chromium() as opened:
        yield opened


@pytest.mark.parametrize(
    ("tab", "wanted"),
    [
        ("timeseries", ("train /loss", "shown", "Smoothed")),
        ("scalars", ("watch gradient flow", "watch gates", "watch update over weight", "watch speed")),
        ("images", ("watch pictures", "gradient flow by lag", "units", "gates")),
        ("histograms", ("watch gates",)),
        ("text", ("embedding/neighbours", "nearest, with cosines")),
        ("hparams", ("shown", "model.hidden_size", "watch best so far/val_perplexity")),
    ],
)
def test_a_person_sees(tab: str, wanted: tuple[str, ...], driver: Any, address: str) -> None:
    driver.get(f"{address}?shown={tab}&tagFilter={'train/loss' if tab == 'timeseries' else ''}#{tab}")
    wait_for(driver, *wanted)


def test_the_projector_holds_every_token(driver: Any, address: str) -> None:
    driver.get(f"{address}?projector#projector")
    wait_for(driver, "projector")
    driver.implicitly_wait(30)
    for _ in range(2):  # TensorBoard's frame holds one of the projector's own
        driver.switch_to.frame(driver.find_element("css selector", "iframe"))
    wait_for(driver, "Points: 45", "Dimension: 64")
    driver.switch_to.default_content()
