"""TensorBoard in headless Chromium.

    python -m tests.browser LOGDIR FILE.png [--tab timeseries]

Opens a tab of TensorBoard and takes a picture of it. Needs Chromium with its driver (Debian's packages ``chromium`` and
``chromium-driver``) and ``pip install selenium``.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--window-size=1500,1100"),
)
ALL_TEXT = """
const words = [];
const walk = node => {
  if (node.nodeType === Node.TEXT_NODE) words.push(node.textContent);
  if (node.shadowRoot) walk(node.shadowRoot);
  if (!['SCRIPT', 'STYLE'].includes(node.nodeName)) node.childNodes.forEach(walk);
};
walk(document.body);
return words.join(' ');
"""
"""The words of a page, also of those parts that have a tree of their own."""


@contextmanager
def tensorboard(logs: Path) -> Iterator[str]:
    """A TensorBoard of a folder on loopback; its address."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logs), "--port", "0", "--host", "127.0.0.1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stderr is not None
            yield next(found[0] for line in process.stderr if (found := re.search(r"http://\S+", line)))
        finally:
            process.kill()


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser without a window."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    with tempfile.TemporaryDirectory() as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        driver = webdriver.Chrome(options=options, service=Service(str(shutil.which("chromedriver"))))
        try:
            yield driver
        finally:
            driver.quit()


def wait_for(driver: Any, *wanted: str, seconds: float = 60) -> str:
    """The words of the page, once all that is wanted is among them."""
    until, seen = time.monotonic() + seconds, ""
    while not all(word in seen for word in wanted):
        assert time.monotonic() < until, f"{wanted} not in {seen[:2000]}"
        time.sleep(0.5)
        seen = " ".join(driver.execute_script(ALL_TEXT).split())
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logdir", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--tab", default="timeseries")
    parser.add_argument("--filter", default="", help="Show only tags that match this.")
    options = parser.parse_args()
    with tensorboard(options.logdir) as address, chromium() as driver:
        driver.get(f"{address}?tagFilter={options.filter}#{options.tab}")
        time.sleep(15)
        driver.save_screenshot(str(options.file))


if __name__ == "__main__":
    main()
