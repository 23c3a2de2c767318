"""A real browser for page tests: headless Chromium, driven over its DevTools socket."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

CHROMIUM = (
    "chromium",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
)
PATIENCE = 20  # s, for a start or an answer


class Browser:
    """One tab."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.ids = count(1)

    def command(self, method: str, **parameters: Any) -> Any:
        """Send a DevTools command and wait for its result."""
        number = self.send(method, **parameters)
        while True:
            answer = json.loads(self.socket.recv(PATIENCE))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    def send(self, method: str, **parameters: Any) -> int:
        number = next(self.ids)
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        return number

    def open(self, url: str) -> None:
        """Go to a page and wait until it is loaded."""
        self.command("Page.enable")
        self.load("Page.navigate", url=url)

    def follow(self, script: str) -> None:
        """Run what leads to another page and wait until that is loaded."""
        self.load("Runtime.evaluate", expression=script)

    def load(self, method: str, **parameters: Any) -> None:
        self.send(method, **parameters)
        while json.loads(self.socket.recv(PATIENCE)).get("method") != "Page.loadEventFired":
            pass

    def run(self, script: str) -> Any:
        """The value of an expression in the page, awaited."""
        done = self.command("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def until(self, condition: str) -> None:
        """Wait until an expression in the page is true."""
        self.run(f"(async () => {{ while (!({condition})) await new Promise(requestAnimationFrame); }})()")


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with a profile of its own in `folder`, for as long as the context lasts."""
    command = [*CHROMIUM, f"--user-data-dir={folder}", "--remote-debugging-port=0", "about:blank"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        try:
            with connect(socket_of_the_tab(process.stderr), open_timeout=PATIENCE, max_size=None) as socket:
                yield Browser(socket)
        finally:
            process.kill()


def socket_of_the_tab(log: Iterator[str]) -> str:
    """Chromium prints the browser's socket; it knows the tab's."""
    address = next(found[1] for line in log if (found := re.search(r"DevTools listening on (ws://\S+)", line)))
    with connect(address, open_timeout=PATIENCE) as socket:
        targets = Browser(socket).command("Target.getTargets")["targetInfos"]
    tab = next(target["targetId"] for target in targets if target["type"] == "page")
    return re.sub("/devtools/.*", f"/devtools/page/{tab}", address)
