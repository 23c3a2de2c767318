"""Starts visitors of a shop in a process of their own (visitors_process.py), and asks how they are."""

import json
import subprocess
import sys
from typing import Any

from tests.relay.harness.home import BASE
from tests.relay.harness.shop import Shop


class Visitors:
    """On their way when made. `sources`: how many come from each loopback address."""

    module = "tests.long.visitors_process"

    def __init__(self, shop: Shop, sources: dict[str, int]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", self.module],
            cwd=BASE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._say(json.dumps({"port": shop.relay.port, "project": shop.id, "key": shop.public, "sources": sources}))

    def entered(self) -> dict[str, Any]:
        """Their first report, when all are welcome or one was not."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, "the visitors' process failed; its traceback stands in stderr"
        report: dict[str, Any] = json.loads(line)
        return report

    def report(self) -> dict[str, Any]:
        """`open` connections, `pings` they answered, the `fewest` one of them did, and what they were `told` else."""
        self._say("how are you?")
        return self.entered()

    def _say(self, line: str) -> None:
        assert self.process.stdin
        print(line, file=self.process.stdin, flush=True)

    def leave(self) -> None:
        """All at once."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()
