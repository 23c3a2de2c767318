"""What the rounds gave: medians, with the least and the most."""

from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median

from bench.generator import Sample

GENERATOR_MOST = 0.9  # of its core; above, the generator was the bottleneck
LOAD_OF_OTHERS = 0.1  # cores; above, something else was running


@dataclass(frozen=True)
class Idle:
    """`connections` opened at `rate` a second, at `cpu` us of the relay, each of them `memory` bytes."""

    connections: int
    rate: float
    cpu: float
    memory: float


@dataclass
class Result:
    """Of one system."""

    name: str
    version: str
    samples: dict[str, list[Sample]] = field(default_factory=lambda: defaultdict(list))  # by measurement
    idle: list[Idle] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def values(self, measurement: str, name: str) -> list[float]:
        return [sample[name] for sample in self.samples[measurement]]

    def median(self, measurement: str, name: str) -> float | None:
        values = self.values(measurement, name)
        return median(values) if values else None

    def is_valid(self, measurement: str) -> bool:
        """Whether the relay was the bottleneck, and not the generator."""
        return all(used <= GENERATOR_MOST for used in self.values(measurement, "used"))


def most_used(results: list[Result]) -> float:
    """The largest share of its core that the generator used."""
    return max((s["used"] for result in results for samples in result.samples.values() for s in samples), default=0.0)


def load_of_others(results: list[Result]) -> float:
    """Cores that neither relay nor generator used while measuring, the median of all samples."""
    others = [sample["others"] for result in results for samples in result.samples.values() for sample in samples]
    return median(others) if others else 0.0
