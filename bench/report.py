"""Results as Markdown."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from bench.gluer import TWO, TWO_SHARING
from bench.results import GENERATOR_MOST, LOAD_OF_OTHERS, Result, load_of_others, most_used

KIB = 1024
COLUMNS: list[tuple[str, str, str, int]] = [  # heading, measurement, what of it, digits
    ("calls/s", "calls", "rate", 0),
    ("CPU µs/call", "calls", "cpu", 1),
    ("user", "calls", "user", 1),
    ("system", "calls", "system", 1),
    ("p50 µs, one in flight", "latency", "p50", 0),
    ("p99 µs", "latency", "p99", 0),
    ("deliveries/s", "fanout", "rate", 0),
    ("CPU µs/delivery", "fanout", "cpu", 2),
]


class Reach(NamedTuple):
    """A figure of `system`, divided by `other`'s or, without one, as it is."""

    name: str
    system: str
    measurement: str
    what: str
    other: str
    must: str
    aim: str = ""


REACH = [
    Reach("CPU per call ÷ nats-server", "Gluer", "calls", "cpu", "nats-server", "≤ 1.75", "≤ 1.2, then < 1.0"),
    Reach("CPU per call ÷ Socket.IO", "Gluer", "calls", "cpu", "Socket.IO", "≤ 0.3", "≤ 0.18"),
    Reach("CPU per call ÷ Channels on Daphne", "Gluer", "calls", "cpu", "Channels on Daphne", "≤ 0.02"),
    Reach("CPU per delivery ÷ Socket.IO", "Gluer", "fanout", "cpu", "Socket.IO", "≤ 0.55"),
    Reach("CPU per delivery ÷ nats-server", "Gluer", "fanout", "cpu", "nats-server", "", "≤ 1.0"),
    Reach("p50, one in flight ÷ C relay", "Gluer", "latency", "p50", "C relay", "≤ 1.3", "≤ 1.1"),
    Reach("CPU per cross-process call ÷ in-process call", TWO, "calls", "cpu", "Gluer", "≤ 6"),
    Reach("cross-process calls/s, all on two cores", TWO_SHARING, "calls", "rate", "", "≥ 8,000"),
]


def report(results: list[Result], skipped: list[str], rounds: int, seconds: float) -> str:
    """Everything that was measured."""
    lines = [conditions(results, rounds, seconds), "", *calls_table(results), "", *idle_table(results), ""]
    lines += [*reach_table(results), "", *versions(results)]
    lines += [
        f"- {name}: skipped, not installed (`make bench-peers`; Redis comes with requirements.txt)" for name in skipped
    ]
    lines += [f"- {result.name}: **failed**: {failure}" for result in results for failure in result.failures]
    return "\n".join(lines)


def conditions(results: list[Result], rounds: int, seconds: float) -> str:
    """Date, machine and how it was measured."""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    text = f"{now}, {os.cpu_count()} cores of {processor()}, Linux {platform.release()}; "
    text += f"{rounds} rounds of {seconds:g} s, medians (least–most)."
    text += (
        f" The generator used at most {most_used(results):.0%} of its core (above {GENERATOR_MOST:.0%}: **invalid**)."
    )
    others = load_of_others(results)
    if others > LOAD_OF_OTHERS:
        text += f" **Measured beside other load: others used {others:.1f} cores.**"
    return text


def calls_table(results: list[Result]) -> list[str]:
    rows = [[result.name, *(cell(result, *column[1:]) for column in COLUMNS)] for result in results]
    return table(["", *(column[0] for column in COLUMNS)], rows)


def cell(result: Result, measurement: str, name: str, digits: int) -> str:
    values, middle = result.values(measurement, name), result.median(measurement, name)
    if middle is None:
        return "–"
    text = f"{middle:,.{digits}f} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"
    return text if result.is_valid(measurement) else f"{text} **invalid**"


def idle_table(results: list[Result]) -> list[str]:
    rows = [
        [result.name, f"{idle.connections:,}", f"{idle.memory / KIB:.1f}", f"{idle.rate:,.0f}", f"{idle.cpu:,.0f}"]
        for result in results
        for idle in result.idle
    ]
    return table(["", "idle connections", "KiB each", "accepted/s", "CPU µs/accept"], rows)


def reach_table(results: list[Result]) -> list[str]:
    """What Gluer must and aims to reach, and what it does, of the systems that were measured."""
    by_name = {result.name: result for result in results}
    if "Gluer" not in by_name:
        return []
    rows = [[row.name, reached(row, by_name), row.must, row.aim] for row in REACH]
    for idle in by_name["Gluer"].idle:
        rows.append([f"KiB at {idle.connections:,} idle", f"{idle.memory / KIB:.1f}", "≤ 16", "≤ 8"])
    return table(["Gluer's", "here", "must", "aim"], rows)


def reached(row: Reach, by_name: dict[str, Result]) -> str:
    """Of the medians; none of figures that are missing or invalid."""
    used = [by_name.get(name) for name in (row.system, row.other) if name]
    medians = [result.median(row.measurement, row.what) if result else None for result in used]
    if not all(medians):
        return "–"
    if not all(result.is_valid(row.measurement) for result in used if result):
        return "**invalid**"
    own, *other = [value for value in medians if value]
    return f"{own / other[0]:.3g}" if other else f"{own:,.0f}"


def table(heads: list[str], rows: list[list[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def versions(results: list[Result]) -> list[str]:
    return [f"- {result.name}: {result.version}" for result in results]


def processor() -> str:
    """Its name, as Linux knows it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
