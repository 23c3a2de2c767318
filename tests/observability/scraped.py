"""Prometheus' view of a relay."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.relay.harness.server import RelayServer


class Scraped:
    """Samples by name and labels, as they stood when it was made."""

    def __init__(self, relay: RelayServer) -> None:
        answer = httpx.get(f"{relay.http}/metrics", trust_env=False).raise_for_status()
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        self.text = answer.text
        self.samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        return self.samples[name, frozenset(labels.items())]

    def sum(self, name: str) -> float:
        return sum(value for (sample, _), value in self.samples.items() if sample == name)

    def since(self, before: "Scraped", name: str, **labels: str) -> float:
        return self.value(name, **labels) - before.value(name, **labels)
