"""A real browser: Debian's Chromium without a window, driven through its debugging pipe.

with Browser(folder) as browser:
    browser.open("http://127.0.0.1:6006/#scalars")
    browser.until("texts().includes('epoch_loss')")
    browser.shot(folder / "scalars.png")

In every script ``all(selector)`` finds elements and ``texts()`` gives the text of the page or of an element, both
also inside shadow roots, which most of TensorBoard's pages consist of. Screenshots land in the
folder that ``shots`` names: BACKPROPLAB_SHOTS, or screenshots/ beside the tests' other files.
"""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync
    --disable-background-networking --disable-component-update --hide-scrollbars""".split()  # noqa: SIM905

HELPERS = """
const inside = (node) => [...node.querySelectorAll('*')].flatMap(
    (x) => x.shadowRoot ? [x, ...inside(x.shadowRoot)] : [x]);
const all = (selector) => inside(document).filter((x) => x.matches(selector));
const written = (node) => node.nodeType === 3 ? node.data
    : /^(STYLE|SCRIPT|TEMPLATE)$/.test(node.tagName) ? ''
    : node.tagName === 'SLOT' && node.assignedNodes().length ? node.assignedNodes().map(written).join(' ')
    : [...(node.shadowRoot || node).childNodes].map(written).join(' ');
const texts = (node = document.body) => written(node).replace(/\\s+/g, ' ');
"""

needs_chromium = pytest.mark.skipif(
    not shutil.which("chromium") and not os.environ.get("CI"),
    reason="Debian's chromium is not installed",
)


def shots(tests: Path) -> Path:
    """The folder for screenshots, made if it is missing."""
    folder = Path(os.environ.get("BACKPROPLAB_SHOTS") or tests / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Browser:
    """One page of one Chromium, whose profile is in ``folder``. size: of the page, in pixels."""

    def __init__(self, folder: Path, size: tuple[int, int] = (1500, 1000)) -> None:
        commands, ours = os.pipe()
        theirs, answers = os.pipe()
        # Chromium reads commands from descriptor 3 and answers on 4, each message ended by a zero
        words = [
            "chromium",
            *FLAGS,
            "--remote-debugging-pipe",
            f"--user-data-dir={folder}/chromium",
        ]
        words += [f"--window-size={size[0]},{size[1]}", "about:blank"]
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{commands} 4>&{answers}', "bash", *words],
            pass_fds=(commands, answers), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=os.environ | {"TMPDIR": "/tmp"},
        )  # fmt: skip
        os.close(commands)
        os.close(answers)
        self._commands, self._answers = os.fdopen(ours, "wb", 0), os.fdopen(theirs, "rb")
        self._last, self._session, self._rest = 0, "", b""
        targets = self._call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self._session = self._call("Target.attachToTarget", targetId=page, flatten=True)[
            "sessionId"
        ]

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._session = ""
            self._call("Browser.close")
        except (OSError, EOFError):
            self.process.kill()
        self.process.wait()
        self._commands.close()
        self._answers.close()

    def open(self, address: str) -> None:
        """Go to a page, and forget the one before."""
        self._call("Page.navigate", url="about:blank")
        self._call("Page.navigate", url=address)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression, which is JSON."""
        done = self._call(
            "Runtime.evaluate",
            expression=f"(() => {{ {HELPERS}; return ({script}); }})()",
            returnByValue=True,
            awaitPromise=True,
        )
        assert "exceptionDetails" not in done, (script, done)
        return done["result"].get("value")

    def until(self, script: str, seconds: float = 60) -> Any:
        """The first true value of an expression that is asked for again and again."""
        end = time.monotonic() + seconds
        while not (value := self._try(script)):
            if time.monotonic() > end:
                raise AssertionError(f"not in {seconds} s: {script}\n{self._try('texts()')}")
            time.sleep(0.1)
        return value

    def _try(self, script: str) -> Any:
        """The value; None while the page is still being made."""
        try:
            return self.run(script)
        except AssertionError:
            return None

    def click(self, element: str) -> None:
        """Press and release the mouse in the middle of an element, as the script gives it."""
        box = self.until(
            f"(({element}) || {{getBoundingClientRect() {{}}}}).getBoundingClientRect()?.toJSON()"
        )
        place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)

    def shot(self, path: Path) -> None:
        """A picture of the page, as PNG."""
        path.write_bytes(self._picture())

    def colors(self, element: str) -> dict[tuple[int, ...], int]:
        """How many pixels of an element have each color that is no gray, as RGB."""
        box = self.run(f"({element}).getBoundingClientRect().toJSON()")
        clip = {key: box[key] for key in ("x", "y", "width", "height")} | {"scale": 1}
        with Image.open(io.BytesIO(self._picture(clip=clip))) as image:
            found = image.convert("RGB").getcolors(image.width * image.height)
        return {color: count for count, color in found or [] if max(color) - min(color) > 25}

    def _picture(self, **parameters: Any) -> bytes:
        data = self._call("Page.captureScreenshot", format="png", **parameters)["data"]
        return base64.b64decode(data)

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._commands.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = json.loads(self._message())
            if answer.get("id") == self._last:
                assert "error" not in answer, (method, answer)
                return dict(answer["result"])

    def _message(self) -> bytes:
        while b"\0" not in self._rest:
            found = self._answers.read1(2**16)  # type: ignore[attr-defined]
            if not found:
                raise EOFError("Chromium is gone")
            self._rest += found
        message, _, self._rest = self._rest.partition(b"\0")
        return message


def shooter(browser, root):
    """A function that saves what the browser shows as a picture of this name, in ``shots(root)``."""
    folder = shots(root)
    return lambda name: browser.shot(folder / f"{name}.png")
