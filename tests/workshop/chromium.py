"""A real Chromium, driven over its own DevTools protocol through a pipe; no library, no port."""

from __future__ import annotations

import base64
import fcntl
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
    from pathlib import Path

EXECUTABLE: Final = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS: Final = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--window-size=1280,900", "--remote-debugging-pipe",
)  # fmt: skip
SECONDS: Final = 60.0
COMMANDS_FD, ANSWERS_FD = 3, 4
ABOVE_THEM: Final = 10
KEY_CODES: Final[dict[str, dict[str, Any]]] = {
    "Enter": {"windowsVirtualKeyCode": 13},
    "Escape": {"windowsVirtualKeyCode": 27},
}


class Chromium:
    """One browser with one page, and what the page complained about and asked the network for."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._numbers = itertools.count(1)
        self._received = b""
        self._session: str | None = None
        self._loaded = 0

    def __enter__(self) -> Self:
        """Start the browser with a fresh profile."""
        assert EXECUTABLE
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
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
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")
        return self

    def __exit__(self, *error: object) -> None:
        """Close the browser and its profile."""
        os.close(self._write)
        self._process.terminate()
        self._process.wait(SECONDS)
        os.close(self._read)
        self._profile.cleanup()

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
            self._note(self._next())

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def _next(self) -> dict[str, Any]:
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

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        match event.get("method"):
            case "Page.loadEventFired":
                self._loaded += 1
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(params["exceptionDetails"]))
            case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                self.complaints.append(str(params["entry"]))
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning"):
                self.complaints.append(str(params["args"]))
            case _:
                pass


def _high_pipe() -> tuple[int, int]:
    """A pipe whose numbers leave the two that Chromium wants alone."""
    low = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, ABOVE_THEM) for end in low]
    for end in low:
        os.close(end)
    return high[0], high[1]
