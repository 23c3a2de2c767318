"""The relay's figures as Prometheus metrics (docs/metrics.md).

Rule 1  They are read from plain numbers when somebody asks; nothing on the way of a frame knows of Prometheus.
Rule 2  Labels come from closed lists. Never a project's, function's or channel's name, an id, or an address.
Rule 3  Read in the event loop, since it changes what is read.
"""

import time
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from relay.backplane.seal import REASONS
from relay.core.connection import BACKEND, FRONTEND
from relay.core.errors import CLOSE_CODES, OUTCOMES
from relay.core.hub import CLOSES
from relay.core.statistics import DOUBLINGS, SHORTEST, Durations
from relay.runtime import Relay

ENDS = ("result", *OUTCOMES, "caller_lost")
DROPPED = ("late", "forged")
PEERS, TRANSPORTS = (FRONTEND, BACKEND), ("ws", "http")
BOUNDS = [str(SHORTEST * 2**doubling) for doubling in range(DOUBLINGS + 1)] + ["+Inf"]


class RelayCollector(Collector):
    """Each part of the relay with figures of its own has a method here, and a section in docs/metrics.md."""

    def __init__(self, relay: Relay) -> None:
        self.relay, self.hub, self.totals = relay, relay.hub, relay.hub.totals

    def collect(self) -> Iterable[Metric]:
        """All metrics, as they stand now."""
        yield from self.connections()
        yield from self.calls()
        yield from self.traffic()
        yield from self.projects()
        yield from self.metering()
        yield from self.backplane()
        yield durations("gluer_event_loop_lag_seconds", "How late the clock ticks.", self.relay.lag)

    def connections(self) -> Iterator[Metric]:
        """Who is here, who came, and why who went."""
        totals = self.totals
        known = GaugeMetricFamily("gluer_connections", "Connections let in.", labels=["peer", "transport"])
        for peer in PEERS:
            for transport in TRANSPORTS:
                known.add_metric([peer, transport], totals.connected[peer, transport])
        yield known
        strangers = self.hub.connections - sum(totals.connected.values())
        yield GaugeMetricFamily("gluer_connections_pending", "Connections before their welcome.", strangers)
        yield counted("gluer_connections_opened", "Connections opened.", "transport", TRANSPORTS, totals.opened)
        yield counted("gluer_hellos_refused", "Hellos refused.", "code", CLOSES, totals.hellos_refused)
        closes = {str(number): count for number, count in totals.closes.items()}
        yield counted("gluer_closes", "Connections closed by the relay.", "code", map(str, CLOSE_CODES), closes)

    def calls(self) -> Iterator[Metric]:
        """What became of calls, of all projects together."""
        events = self.totals.events.copy()
        for tenant in self.hub.tenants.values():
            events.update(tenant.statistics.now)
        yield counted("gluer_calls", "Calls that ended.", "outcome", ENDS, events)
        yield durations("gluer_call_seconds", "From a call to its outcome.", self.totals.calls)
        yield counted("gluer_answers_dropped", "Answers nobody waited for.", "reason", DROPPED, events)
        yield CounterMetricFamily("gluer_calls_held", "Calls that waited for a server.", events["held"])
        yield CounterMetricFamily("gluer_calls_rerouted", "Calls that went on elsewhere.", events["rerouted"])
        yield CounterMetricFamily("gluer_servers_suspected", "Servers that fell silent.", events["suspected"])
        running = sum(len(tenant.calls.running) for tenant in self.hub.tenants.values())
        yield GaugeMetricFamily("gluer_calls_running", "Calls handed to a callee and not answered.", running)

    def traffic(self) -> Iterator[Metric]:
        """Frames, messages, requests."""
        totals, traffic = self.totals, self.totals.traffic
        frames = CounterMetricFamily("gluer_frames", "Frames.", labels=["direction"])
        sizes = CounterMetricFamily("gluer_frame_bytes", "Bytes of frames.", labels=["direction"])
        for direction, number, size in (
            ("in", traffic.frames_in, traffic.bytes_in),
            ("out", traffic.frames_out, traffic.bytes_out),
        ):
            frames.add_metric([direction], number)
            sizes.add_metric([direction], size)
        yield from (frames, sizes)
        yield CounterMetricFamily("gluer_messages_published", "Messages published.", totals.published)
        yield CounterMetricFamily("gluer_messages_delivered", "Messages sent to subscribers.", totals.delivered)
        unsealed = sum(tenant.requests for tenant in self.hub.tenants.values())
        yield CounterMetricFamily("gluer_requests", "Requests counted for billing.", totals.requests + unsealed)
        yield counted("gluer_requests_refused", "Requests and frames refused.", "code", OUTCOMES, totals.refused)

    def projects(self) -> Iterator[Metric]:
        """How much the relay holds."""
        tenants = self.hub.tenants.values()
        functions = sum(len(tenant.functions.by_name) - len(tenant.functions.lost) for tenant in tenants)
        suspects = sum(1 for server in self.hub.suspects.watched if server.suspect_since)
        yield GaugeMetricFamily("gluer_tenants", "Projects the relay holds something of.", len(tenants))
        yield GaugeMetricFamily("gluer_functions", "Functions that have servers.", functions)
        yield GaugeMetricFamily("gluer_servers", "Back ends connected.", self.totals.connected[BACKEND, "ws"])
        yield GaugeMetricFamily("gluer_servers_suspect", "Back ends that owe an answer and are silent.", suspects)

    def metering(self) -> Iterator[Metric]:
        """Keys that cannot be looked up, and counts on their way to the database."""
        away = int(self.relay.directory.away)
        yield GaugeMetricFamily("gluer_keys_remembered", "1: keys cannot be looked up.", away)
        metering = self.relay.metering
        lag = max(0.0, time.time() - metering.sealed[0].sealed_at.timestamp()) if metering.sealed else 0.0
        yield GaugeMetricFamily("gluer_metering_lag_seconds", "Age of the oldest counts not written.", lag)
        yield GaugeMetricFamily("gluer_metering_batches", "Batches of counts not written.", len(metering.sealed))
        yield GaugeMetricFamily("gluer_metering_failing", "1: counts cannot be written.", int(metering.away))

    def backplane(self) -> Iterator[Metric]:
        """The way to the other relay processes; nothing where this one is alone."""
        if self.relay.backplane is None:
            return
        mesh = self.relay.backplane.mesh
        yield GaugeMetricFamily(
            "gluer_backplane_up", "1: this process hears itself through Redis.", int(mesh.connected)
        )
        yield GaugeMetricFamily("gluer_backplane_processes", "Other relay processes.", len(mesh.processes))
        yield GaugeMetricFamily("gluer_backplane_lag_seconds", "From a beat to its echo.", mesh.lag)
        yield CounterMetricFamily("gluer_backplane_lost", "Batches that never came.", mesh.lost)
        yield CounterMetricFamily("gluer_backplane_dropped", "Entries that were not delivered.", mesh.dropped)
        yield CounterMetricFamily("gluer_backplane_unread", "Entries of shapes unknown here.", mesh.unread)
        rejected = self.relay.backplane.seal.rejected
        yield counted("gluer_backplane_rejected", "Batches not sealed by us.", "reason", REASONS, rejected)


def counted(name: str, meaning: str, label: str, values: Iterable[str], counts: Mapping[str, int]) -> Metric:
    """A counter with all values its label can have; those that never happened stand at 0."""
    family = CounterMetricFamily(name, meaning, labels=[label])
    for value in values:
        family.add_metric([value], counts.get(value, 0))
    return family


def durations(name: str, meaning: str, taken: Durations) -> Metric:
    """A histogram."""
    reached = 0
    buckets = []
    for bound, number in zip(BOUNDS, taken.buckets, strict=True):
        reached += number
        buckets.append((bound, float(reached)))
    return HistogramMetricFamily(name, meaning, buckets=buckets, sum_value=taken.seconds)
