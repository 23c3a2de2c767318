"""docs/metrics.md names every metric, with its labels, and no other."""

import re
from pathlib import Path

from tests.observability.scraped import Scraped
from tests.relay.harness.server import RelayServer

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/metrics.md"
PART = re.compile(r"_(bucket|count|sum)$")
Labels = dict[str, set[str]]


def documented() -> Labels:
    rows = [line.split("|") for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
    return {cells[1].strip(" `"): set(filter(None, re.split(r"[, ]+", cells[2]))) for cells in rows}


def told(relay: RelayServer) -> Labels:
    labels: Labels = {}
    for name, given in Scraped(relay).samples:
        if name.startswith("gluer_"):
            labels.setdefault(PART.sub("", name), set()).update(label for label, _ in given)
    return labels


def test_every_metric_is_documented_and_nothing_else(relay: RelayServer) -> None:
    alone = {name: labels for name, labels in documented().items() if "backplane" not in name}
    assert alone == told(relay)
