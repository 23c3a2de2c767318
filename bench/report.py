"""Results as Markdown."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

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
REACH: list[tuple[str, str, str, str, str, str]] = [  # figure, measurement, what of it, divided by, must, aim
    ("CPU per call", "calls", "cpu", "nats-server", "≤ 1.75", "≤ 1.2, then < 1.0"),
    ("CPU per call", "calls", "cpu", "Socket.IO", "≤ 0.3", "≤ 0.18"),
    ("CPU per call", "calls", "cpu", "Channels on Daphne", "≤ 0.02", ""),
    ("CPU per delivery", "fanout", "cpu", "Socket.IO", "≤ 0.55", ""),
    ("CPU per delivery", "fanout", "cpu", "nats-server", "", "≤ 1.0"),
    ("p50, one in flight", "latency", "p50", "C relay", "≤ 1.3", "≤ 1.1"),
]


def report(results: list[Result], skipped: list[str], rounds: int, seconds: float) -> str:
    """Everything that was measured."""
    lines = [conditions(results, rounds, seconds), "", *calls_table(results), "", *idle_table(results), ""]
    lines += [*reach_table(results), "", *versions(results)]
    lines += [f"- {name}: skipped, not installed (`make bench-peers`)" for name in skipped]
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
    """Gluer's figures divided by others', beside what issue 4 asks."""
    by_name = {result.name: result for result in results}
    if "Gluer" not in by_name:
        return []
    own, rows = by_name["Gluer"], []
    for figure, measurement, name, other, must, aim in REACH:
        here = ratio(own, by_name.get(other), measurement, name)
        rows.append([f"{figure} ÷ {other}", here, must, aim])
    for idle in own.idle:
        rows.append([f"KiB at {idle.connections:,} idle", f"{idle.memory / KIB:.1f}", "≤ 16", "≤ 8"])
    return table(["Gluer's", "here", "must", "aim"], rows)


def ratio(own: Result, other: Result | None, measurement: str, name: str) -> str:
    """Of the medians; none of figures that are missing or invalid."""
    ours, theirs = own.median(measurement, name), other.median(measurement, name) if other else None
    if other is None or not ours or not theirs:
        return "–"
    return f"{ours / theirs:.3g}" if own.is_valid(measurement) and other.is_valid(measurement) else "**invalid**"


def table(heads: list[str], rows: list[list[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def versions(results: list[Result]) -> list[str]:
    return [f"- {result.name}: {result.version}" for result in results]


def processor() -> str:
    """Its name, as Linux knows it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
