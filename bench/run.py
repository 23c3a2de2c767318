"""Measures Gluer beside other relays: python -m bench.run (see README.md)."""

import argparse
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from bench.generator import Generator
from bench.process import Failed, Started, most_connections
from bench.report import report
from bench.results import Idle, Result
from bench.systems import QUICK, SYSTEMS, System

SETTLE = 1.0  # s between the last connection and the look at the memory


@dataclass(frozen=True)
class Plan:
    """How often, how long (s), for how much of the relay's CPU (s) beforehand, and how many idle connections."""

    rounds: int
    seconds: float
    warm: float
    connections: list[int]


FULL = Plan(rounds=5, seconds=2.0, warm=1.0, connections=[5_000, 50_000])
SHORT = Plan(rounds=2, seconds=0.6, warm=0.5, connections=[2_000])
MEASUREMENTS: dict[str, tuple[str, dict[str, int]]] = {
    "calls": ("calls", {"front": 32, "depth": 8, "back": 2}),
    "latency": ("calls", {"front": 1, "depth": 1, "back": 1}),
    "fanout": ("fanout", {"subscribers": 1000, "window": 4}),
}


def measure_idle(system: System, result: Result, number: int, folder: Path) -> None:
    """A new process's memory without and with idle connections."""
    with system.running(folder) as started:
        generator = Generator(started.process, system.dialect, started.env, folder)
        with generator.holding(50):
            pass  # what the first connections load is no connection's memory
        started.process.wait_quiet()
        before = started.process.memory()
        with generator.holding(number) as sample:
            time.sleep(SETTLE)
            memory = (started.process.memory() - before) / number
        result.idle.append(Idle(number, sample["rate"], sample["cpu"], memory))


def measure_round(started: Started, system: System, result: Result, plan: Plan, folder: Path) -> None:
    """Every measurement once."""
    started.process.resume()
    generator = Generator(started.process, system.dialect, started.env, folder)
    try:
        for name in [name for name in MEASUREMENTS if name in system.measured]:
            mode, options = MEASUREMENTS[name]
            started.process.wait_quiet()
            sample = generator.run(mode, seconds=plan.seconds, warm=plan.warm, **options)
            if not sample["items"]:
                raise Failed(f"{name}: nothing came in {plan.seconds:g} s")
            result.samples[name].append(sample)
    finally:
        started.process.pause()


def measure(systems: list[System], plan: Plan, folder: Path) -> list[Result]:
    """First the memory of each, then rounds in which they take turns; who is not in turn is stopped."""
    results = {system.name: Result(system.name, system.version()) for system in systems}
    for system in systems:
        for number in plan.connections if "idle" in system.measured else ():
            say(f"{system.name}: {number:,} idle connections")
            with failing_into(results[system.name]):
                measure_idle(system, results[system.name], number, folder / f"{system.name}-{number}")
    with ExitStack() as stack:
        running = {}
        for system in systems:
            with failing_into(results[system.name]):
                running[system.name] = stack.enter_context(system.running(folder / system.name))
                running[system.name].process.pause()
        for turn in range(plan.rounds):
            for system in [system for system in systems if system.name in running]:
                say(f"{system.name}: round {turn + 1} of {plan.rounds}")
                with failing_into(results[system.name]):
                    measure_round(running[system.name], system, results[system.name], plan, folder)
    return list(results.values())


class failing_into:  # noqa: N801 (a context manager)
    """Notes a failure in the system's result, and lets the others go on."""

    def __init__(self, result: Result) -> None:
        self.result = result

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, failure: object, traceback: object) -> bool:
        if isinstance(failure, Failed):
            self.result.failures.append(str(failure))
        return isinstance(failure, Failed)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under a minute, four systems")
    parser.add_argument("--systems", help="only these, separated by commas: " + ", ".join(s.name for s in SYSTEMS))
    parser.add_argument("--rounds", type=int, help="instead of 5")
    parser.add_argument("--connections", help="idle ones, separated by commas; 0: none")
    return parser.parse_args()


def main() -> None:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # what was started is stopped
    given = options()
    plan = SHORT if given.quick else FULL
    if given.rounds is not None:
        plan = replace(plan, rounds=given.rounds)
    if given.connections is not None:
        plan = replace(plan, connections=[int(number) for number in given.connections.split(",") if number != "0"])
    plan = replace(plan, connections=sorted({most_connections(number) for number in plan.connections}))
    names = given.systems.split(",") if given.systems else QUICK if given.quick else [s.name for s in SYSTEMS]
    chosen = [system for system in SYSTEMS if system.name.lower() in {name.strip().lower() for name in names}]
    present = [system for system in chosen if not system.missing]
    with tempfile.TemporaryDirectory(prefix="gluer-bench-") as folder:
        results = measure(present, plan, Path(folder))
    print(report(results, [system.name for system in chosen if system.missing], plan.rounds, plan.seconds))


if __name__ == "__main__":
    main()
