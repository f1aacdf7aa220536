"""A log root with many runs: when TensorBoard lists them all, when a browser shows them.

    python -m benchmarks.many_runs [RUNS]

RUNS: small runs, by default 2000, in sessions of 100, each with its curves, texts and settings;
copies of one that is trained. Prints the seconds from the start of TensorBoard until its server
lists every run, and from the call of its link until Chromium shows the first names: of the newest
session, then without a filter. Goals: 5 s and 15 s. Other load on the cores counts.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode
from urllib.request import urlopen

from backproplab import runs
from backproplab.runs import link
from tests.browser import Browser

EACH = 100  # runs of a session
CONFIG = """
data: {name: circle, samples: 60}
model: {hidden: [4]}
epochs: 20
tensorboard: off
"""


def main() -> None:
    amount = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    with TemporaryDirectory() as place:
        root = many(Path(place), amount)
        began = time.perf_counter()
        board = runs.start(root)
        sys.stdout.write(f"the server answers after {time.perf_counter() - began:.1f} s\n")
        try:
            listed(board.port, 2 * amount)
            sys.stdout.write(
                f"{amount} runs are listed after {time.perf_counter() - began:.1f} s\n"
            )
            everything = urlencode({"runFilter": link.EVERY})
            with Browser(Path(place)) as browser:
                named(browser, runs.url(board), "of the newest session")
                unfiltered = f"http://127.0.0.1:{board.port}/?{everything}#timeseries"
                named(browser, unfiltered, "of all runs")
        finally:
            runs.stop(board)


def many(place: Path, amount: int) -> Path:
    """A log root with this number of runs."""
    for name in "ab":
        (place / f"{name}.yaml").write_text(f"{CONFIG}seed: {ord(name)}\n")
    command = [sys.executable, "-m", "backproplab", "train", "a.yaml", "b.yaml"]
    subprocess.run([*command, "--progress", "none"], cwd=place, check=True, capture_output=True)
    root = place / "runs"
    (first,) = root.glob("*/a")
    for session in range(-(-amount // EACH)):
        folder = runs.create_session(root)
        for number in range(min(EACH, amount - session * EACH)):
            shutil.copytree(first, folder / f"run-{number}")
    shutil.rmtree(first.parent)
    return root


def named(browser: Browser, address: str, which: str) -> None:
    """Open the page and wait until it shows the names of runs."""
    began = time.perf_counter()
    browser.open(address)
    browser.until(r"/[/]train\b/.test(texts(all('runs-data-table')[0]))", 120)
    seconds = time.perf_counter() - began
    sys.stdout.write(f"Chromium shows names {which} after {seconds:.1f} s\n")


def listed(port: int, amount: int) -> None:
    """Wait until the server lists this number of TensorBoard's runs."""
    while True:
        with urlopen(f"http://127.0.0.1:{port}/data/runs", timeout=60) as answer:
            if len(json.load(answer)) >= amount:
                return
        time.sleep(0.05)


if __name__ == "__main__":
    main()
