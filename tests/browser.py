"""A headless Chromium, driven over its pipe by the DevTools protocol."""

import base64
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_FLAGS = (
    "--remote-debugging-pipe",
    "--headless",
    "--no-sandbox",  # it opens our own pages only, and root has no other way
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1400,700",
)


class Page:
    """One tab: its text, its picture."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, from_browser
        self._rest = b""
        self._calls = 0
        self._session: dict[str, str] = {}
        target = self._call("Target.createTarget", url="about:blank")
        attached = self._call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = {"sessionId": attached["sessionId"]}

    def open(self, url: str) -> None:
        self._call("Page.navigate", url=url)

    def text(self) -> str:
        """What is to be read on the page, in its order."""
        return str(self.value("document.body ? document.body.innerText : ''"))

    def value(self, expression: str) -> Any:
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    def screenshot(self) -> bytes:
        """The window as PNG."""
        return base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"])

    def _call(self, method: str, timeout_s: float = 60.0, **parameters: object) -> Any:
        self._calls += 1
        message = {"id": self._calls, "method": method, "params": parameters, **self._session}
        os.write(self._to, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + timeout_s
        while (answer := self._received(until)).get("id") != self._calls:
            pass  # an event
        if "error" in answer:
            pytest.fail(f"{method}: {answer['error']}")
        return answer["result"]

    def _received(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._from], [], [], max(0.0, until - time.monotonic()))
            more = os.read(self._from, 1 << 20) if ready else b""
            if not more:
                pytest.fail("Chromium does not answer")
            self._rest += more
        message, _, self._rest = self._rest.partition(b"\0")
        received: dict[str, Any] = json.loads(message)
        return received


@contextmanager
def browser(program: str, folder: Path, flags: Sequence[str] = _FLAGS) -> Iterator[Page]:
    """A tab of a Chromium that keeps its files below `folder`."""
    command = [program, *flags, f"--user-data-dir={folder}"]
    inner_in, to_browser = os.pipe()
    from_browser, inner_out = os.pipe()
    # Chromium reads descriptor 3 and writes to 4
    shell = ["bash", "-c", f'exec "$@" 3<&{inner_in} 4>&{inner_out}', "bash", *command]
    with subprocess.Popen(
        shell, pass_fds=(inner_in, inner_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        os.close(inner_in)
        os.close(inner_out)
        try:
            yield Page(to_browser, from_browser)
        finally:
            process.terminate()
            os.close(to_browser)
            os.close(from_browser)
