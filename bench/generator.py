"""Runs the load generator (gen.c) on its own core, or where the system shares both."""

# ruff: noqa: S603 (commands are constants; where programs stand differs from machine to machine)

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from bench.process import BOTH_CORES, GENERATOR_CORE, Failed, Running, until

BUILD = Path(__file__).parent / ".build"
SETUP_WITHIN = 320.0  # s; the generator itself gives up after 300
Sample = dict[str, float]  # one line of gen.c


class Generator:
    """Speaks `dialect` to `process`."""

    def __init__(self, process: Running, dialect: str, env: Mapping[str, str], folder: Path) -> None:
        self.process, self.dialect, self.env, self.folder = process, dialect, env, folder

    def run(self, mode: str, **options: float) -> Sample:
        """A run that ends by itself. Raises Failed."""
        with self._started(mode, options) as (child, out):
            seconds = SETUP_WITHIN + options["seconds"] + 4 * options["warm"]
            try:
                child.wait(seconds)
            except subprocess.TimeoutExpired:
                raise Failed(f"the generator did not end within {seconds:.0f} s") from None
            return self._read(child, out)

    @contextmanager
    def holding(self, connections: int) -> Iterator[Sample]:
        """Idle connections, held as long as the context lasts. Raises Failed."""
        with self._started("idle", {"connections": connections}) as (child, out):
            until(lambda: out.stat().st_size > 0 or child.poll() is not None, SETUP_WITHIN)
            yield self._read(child, out)

    @contextmanager
    def _started(self, mode: str, options: Mapping[str, float]) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
        pids = ",".join(map(str, self.process.pids))
        given = {"dialect": self.dialect, "port": self.process.port, "pids": pids, "mode": mode, **options}
        if self.process.back_port != self.process.port:
            given["back-port"] = self.process.back_port
        arguments = [text for name, value in given.items() for text in (f"--{name}", str(value))]
        out, errors = self.folder / f"gen-{time.monotonic_ns()}.out", self.folder / "gen.err"
        with open(out, "wb") as output, open(errors, "wb") as complaints:
            child = self._popen(arguments, output, complaints)
        try:
            yield child, out
        finally:
            child.kill()
            child.wait(10)
            assert child.stdin
            child.stdin.close()

    def _popen(self, arguments: list[str], out: IO[bytes], errors: IO[bytes]) -> "subprocess.Popen[bytes]":
        cores = BOTH_CORES if self.process.cores == BOTH_CORES else GENERATOR_CORE
        command = ["taskset", "-c", cores, str(BUILD / "gen"), *arguments]
        env = {**os.environ, **self.env}
        return subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=out, stderr=errors)

    def _read(self, child: "subprocess.Popen[bytes]", out: Path) -> Sample:
        printed = out.read_text()
        if child.poll() or not printed:
            raise Failed(f"the generator failed: {(self.folder / 'gen.err').read_text()[:500].strip()}")
        sample: Sample = json.loads(printed)
        return sample
