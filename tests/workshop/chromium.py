"""A real Chromium, driven over its own DevTools protocol through a pipe; no library, no port."""

from __future__ import annotations

import atexit
import base64
import fcntl
import functools
import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from raindrop_logging.workshop import Running

NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first is Chromium without its own windows and menus, which takes half the time."""

EXECUTABLE: Final = next(filter(None, map(shutil.which, NAMES)), None)
FLAGS: Final = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--window-size=1280,900", "--remote-debugging-pipe",
)  # fmt: skip
SECONDS: Final = 60.0
LIVE: Final = "document.querySelector('[data-live].on')"
"""What a page of the Workshop shows once it hears of changes: nothing that is sent from then on passes it by."""

FRAME: Final = "about:srcdoc"
"""Where an attachment is shown that is a page of its own."""

COMMANDS_FD, ANSWERS_FD = 3, 4
ABOVE_THEM: Final = 10
KEY_CODES: Final[dict[str, dict[str, Any]]] = {
    "Enter": {"windowsVirtualKeyCode": 13},
    "Escape": {"windowsVirtualKeyCode": 27},
}


class _Browser:
    """The process, which all tests of this process share, and its pipe."""

    def __init__(self) -> None:
        assert EXECUTABLE
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._numbers = itertools.count(1)
        self._received = b""
        commands, self._write = _high_pipe()
        self._read, answers = _high_pipe()

        def hand_over() -> None:
            os.dup2(commands, COMMANDS_FD)
            os.dup2(answers, ANSWERS_FD)

        self._process = subprocess.Popen(
            [EXECUTABLE, *FLAGS, f"--user-data-dir={self._profile.name}", "about:blank"],
            pass_fds=(COMMANDS_FD, ANSWERS_FD),
            preexec_fn=hand_over,  # noqa: PLW1509 - the protocol wants exactly these two descriptors
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)

    def close(self) -> None:
        """End the process, and delete its profile."""
        os.close(self._write)
        self._process.terminate()
        self._process.wait(SECONDS)
        os.close(self._read)
        self._profile.cleanup()

    def call(self, note: Callable[[dict[str, Any]], None], session: str | None, method: str, **params: Any) -> Any:
        """The result of a command; what is told meanwhile goes to `note`."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.next()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]
            note(answer)

    def next(self) -> dict[str, Any]:
        """The next thing that the browser says."""
        deadline = time.monotonic() + SECONDS
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._read], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "Chromium does not answer"
            piece = os.read(self._read, 1 << 20)
            assert piece, "Chromium is gone"
            self._received += piece
        message, _, self._received = self._received.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer


@functools.cache
def _browser() -> _Browser:
    browser = _Browser()
    atexit.register(browser.close)
    return browser


class Chromium:
    """A browser with one page and nothing remembered, and what the page complained about and asked the network for."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self._asked: list[tuple[str, str]] = []
        self._kept_back: dict[str, str] = {}
        self._session: str | None = None
        self._loaded = 0

    @property
    def requests(self) -> list[str]:
        """The addresses that were asked for, without those that a policy kept back before anything was sent."""
        return [url for number, url in self._asked if number not in self._kept_back]

    def __enter__(self) -> Self:
        """Open the page, in a context of its own: no cookie, storage or setting of another one's."""
        self._browser = _browser()
        self._context = self._call("Target.createBrowserContext")["browserContextId"]
        page = self._call("Target.createTarget", url="about:blank", browserContextId=self._context)
        self._session = self._call("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")
        return self

    def __exit__(self, *error: object) -> None:
        """Close the page and all that it left."""
        self._session = None
        self._call("Target.disposeBrowserContext", browserContextId=self._context)

    def open(self, url: str) -> None:
        """Go to an address and wait until it is loaded."""
        loaded = self._loaded
        self._call("Page.navigate", url=url)
        self._wait_for_load(loaded)

    def follow(self, link: str) -> None:
        """Click what an expression names and wait until the page it leads to is loaded."""
        loaded = self._loaded
        self._call("Runtime.evaluate", expression=f"void {link}.click()")
        self._wait_for_load(loaded)

    def dark(self) -> None:
        """Prefer dark colours from now on."""
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])

    def press(self, *keys: str) -> None:
        """Press and release one key after the other: a character, ``Enter`` or ``Escape``."""
        for key in keys:
            text = {"Enter": "\r", "Escape": ""}.get(key, key)
            self._call("Input.dispatchKeyEvent", type="keyDown", key=key, text=text, **KEY_CODES.get(key, {}))
            self._call("Input.dispatchKeyEvent", type="keyUp", key=key, **KEY_CODES.get(key, {}))

    def open_by_keys(self, *keys: str) -> None:
        """Press keys and wait until the page they lead to is loaded."""
        loaded = self._loaded
        self.press(*keys)
        self._wait_for_load(loaded)

    def narrow(self, width: int = 390) -> None:
        """Become as wide as a phone."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=844, deviceScaleFactor=1, mobile=True)

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, expression: str) -> Any:
        """The first true value of an expression; the page itself watches for it."""
        return self.ask(
            f"new Promise((found, failed) => {{ const start = Date.now();"
            f" const look = () => {{ const value = {expression};"
            f" if (value) found(value); else if (Date.now() - start > {SECONDS * 500}) failed(new Error('never'));"
            f" else setTimeout(look, 10); }}; look(); }})"
        )

    def picture(self, path: Path) -> None:
        """Save what the page looks like now, all of it."""
        shot = self._call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _wait_for_load(self, loaded: int) -> None:
        while self._loaded == loaded:
            self._note(self._browser.next())

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        result: dict[str, Any] = self._browser.call(self._note, self._session, method, **params)
        return result

    def _note(self, event: dict[str, Any]) -> None:
        if event.get("sessionId") != self._session:  # the end of a page before
            return
        params = event.get("params", {})
        match event.get("method"):
            case "Page.loadEventFired":
                self._loaded += 1
            case "Network.requestWillBeSent":
                self._asked.append((params["requestId"], params["request"]["url"]))
            case "Network.loadingFailed" if params.get("blockedReason"):
                self._kept_back[params["requestId"]] = params["blockedReason"]
            case method:
                self.complaints.extend(_complaints(method, params))


def open_live(browser: Chromium, workshop: Running, path: str) -> None:
    """Go to a page of the Workshop and wait until it hears of changes."""
    browser.open(workshop.url + path)
    browser.wait(LIVE)


def _complaints(method: str | None, params: dict[str, Any]) -> Iterator[str]:
    """What a page should not have been told; what a frame's sandbox and policy keep back is as it should be."""
    match method:
        case "Runtime.exceptionThrown":
            yield str(params["exceptionDetails"])
        case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
            if (params["entry"].get("url"), params["entry"]["source"]) != (FRAME, "security"):
                yield str(params["entry"])
        case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning"):
            yield str(params["args"])
        case _:
            pass


def _high_pipe() -> tuple[int, int]:
    """A pipe whose numbers leave the two that Chromium wants alone."""
    low = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, ABOVE_THEM) for end in low]
    for end in low:
        os.close(end)
    return high[0], high[1]
