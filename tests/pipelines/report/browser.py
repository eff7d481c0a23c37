"""A headless Chromium, driven through its DevTools protocol over pipes."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_OPTIONS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --hide-scrollbars "
    "--disable-dev-shm-usage --host-resolver-rules='MAP * ~NOTFOUND' --remote-debugging-pipe"
)


class Browser:
    """One page, in a browser that can't reach any network.

    Args:
        profile: a folder for the browser's own files.
        url: the page.
    """

    def __init__(self, profile: str, url: str) -> None:
        (child_in, self._out), (self._in, child_out) = os.pipe(), os.pipe()
        command = f"exec {CHROMIUM} {_OPTIONS} --user-data-dir='{profile}' 3<&{child_in} 4>&{child_out}"
        null = subprocess.DEVNULL
        self._process = subprocess.Popen(
            ["bash", "-c", command], pass_fds=(child_in, child_out), stdout=null, stderr=null
        )
        os.close(child_in)
        os.close(child_out)
        self._number, self._buffer, self._session = 0, b"", None
        self.errors: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=url)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Calls a method of the protocol; returns its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("method") == "Runtime.exceptionThrown":
                self.errors.append(str(answer["params"]["exceptionDetails"]))
            if answer.get("method") == "Log.entryAdded" and answer["params"]["entry"]["level"] == "error":
                self.errors.append(answer["params"]["entry"]["text"])
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def evaluate(self, script: str) -> Any:
        """The value of an expression."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(str(result["exceptionDetails"]))
        return result["result"].get("value")

    def wait_for(self, script: str, timeout_s: float = 20) -> Any:
        """The value of an expression when it is true."""
        end = time.monotonic() + timeout_s
        while not (value := self.evaluate(script)):
            if time.monotonic() > end:
                raise TimeoutError(f"{script} doesn't become true; errors: {self.errors}")
            time.sleep(0.02)
        return value

    def press(self, *keys: str) -> None:
        """Presses keys one after the other: letters, or names such as Enter and ArrowDown."""
        codes = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
        for key in keys:
            text = {"text": "\r" if key == "Enter" else key} if key not in codes or key == "Enter" else {}
            code = {"windowsVirtualKeyCode": codes.get(key, ord(key[0]))}
            self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text, **code)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=key, **code)

    def screenshot(self, path: str) -> None:
        """Writes what the page shows to a PNG."""
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def close(self) -> None:
        """Ends the browser."""
        self._process.terminate()
        self._process.wait(10)
        os.close(self._in)
        os.close(self._out)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            chunk = os.read(self._in, 1 << 20)
            if not chunk:
                raise RuntimeError("the browser has ended")
            self._buffer += chunk
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)
