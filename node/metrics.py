"""The node's figures in the words of Prometheus. Counters come from the database, so that a restart does not reset them."""

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from config.settings import Settings
from db.figures import Durations, Figures, figures
from db.session import DatabaseUnusable, Sessions, translated
from node.tick_times import TickTimes


@dataclass(frozen=True, eq=False)
class Metrics(Collector):
    settings: Settings
    sessions: Sessions
    times: TickTimes
    now: Callable[[], datetime]

    def text(self) -> bytes:
        registry = CollectorRegistry()
        registry.register(self)
        ProcessCollector(registry=registry)
        return generate_latest(registry)

    def describe(self) -> list[Metric]:
        return []  # so that registering asks nothing

    def collect(self) -> Iterator[Metric]:
        yield _labelled(
            GaugeMetricFamily,
            "build_info",
            "1; the version of sedas-node and of Python.",
            ("version", "python"),
            {(version("sedas-node"), ".".join(map(str, sys.version_info[:3]))): 1},
        )
        shadow = self.settings.release.shadow
        yield _gauge("shadow_mode", "1: the node sends nothing (release.shadow); 0: it delivers.", shadow)
        yield from _ticks(self.times)
        yield _gauge(
            "disk_free_bytes",
            "Free on the disk of storage.folder.",
            shutil.disk_usage(self.settings.storage.folder).free,
        )
        for name, least in (
            ("disk_minimum_free_bytes", self.settings.storage.minimum_free_bytes),
            ("disk_retention_bytes", self.settings.retention.minimum_free_bytes),
        ):
            what = "nothing is taken in" if "minimum" in name else "the oldest images go early"
            yield _gauge(name, f"With less free on the disk {what}.", least)
        try:
            with translated():
                found = figures(self.sessions, now=self.now())
        except DatabaseUnusable:
            yield _gauge("database_up", "Whether the database answers.", 0)
            return
        yield _gauge("database_up", "Whether the database answers.", 1)
        yield from self._of_database(found)

    def _of_database(self, found: Figures) -> Iterator[Metric]:
        now = self.now()
        yield _labelled(
            GaugeMetricFamily,
            "jobs",
            "Jobs by state; one for each generation of each study.",
            ("state",),
            {(state.value,): count for state, count in found.jobs.items()},
        )
        waits = (now - found.oldest_queued_at).total_seconds() if found.oldest_queued_at else 0.0
        yield _gauge(
            "oldest_queued_seconds", "For how long the oldest QUEUED job has waited; 0: none.", waits
        )
        yield _gauge(
            "worker_leases", "Jobs that a worker holds; a lease that ran out does not count.", found.leases
        )
        yield _counter("images_received", "Objects taken in, each once.", found.images_received)
        yield _labelled(
            CounterMetricFamily,
            "images_refused",
            "C-STORE requests answered with another status than 0000, by status.",
            ("status",),
            {(f"{status:04X}",): times for status, times in found.images_refused.items()},
        )
        yield _gauge("images_on_disk_bytes", "Received objects in the spool.", found.images_on_disk_bytes)
        yield _analyses(found.analyses)
        if self.settings.inference.candidate is not None:
            what = "Analyses whose candidate model gave no number."
            yield _counter("candidate_failures", what, found.candidate_failures)
        names = sorted({d.name for d in self.settings.delivery.destinations} | found.backlog.keys())
        backlog = {name: found.backlog.get(name) for name in names}
        yield _labelled(
            GaugeMetricFamily,
            "delivery_backlog",
            "Objects on their way, by destination.",
            ("destination",),
            {(name,): b.objects if b else 0 for name, b in backlog.items()},
        )
        yield _labelled(
            GaugeMetricFamily,
            "delivery_oldest_seconds",
            "For how long the oldest object has been on its way, by destination; 0: none is.",
            ("destination",),
            {(name,): (now - b.opened_at).total_seconds() if b else 0.0 for name, b in backlog.items()},
        )
        yield _labelled(
            GaugeMetricFamily,
            "commitments_open",
            "Requests for storage commitment without a report yet, by destination.",
            ("destination",),
            {(name,): count for name, count in found.open_commitments.items()},
        )
        yield _gauge("quarantined_objects", "Objects in quarantine.", found.quarantined)
        yield _counter("audit_rows", "Rows of the audit trail.", found.audit_rows)
        if self.settings.audit.syslog is not None:
            waiting = found.audit_rows - found.audit_rows_exported
            yield _gauge(
                "audit_rows_not_exported", "Rows that the audit record repository has not got.", waiting
            )


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(f"sedas_node_{name}", what, value=value)


def _counter(name: str, what: str, value: float) -> Metric:
    return CounterMetricFamily(f"sedas_node_{name}", what, value=value)


def _labelled(
    kind: type[GaugeMetricFamily | CounterMetricFamily],
    name: str,
    what: str,
    labels: tuple[str, ...],
    values: dict[tuple[str, ...], float],
) -> Metric:
    family = kind(f"sedas_node_{name}", what, labels=labels)
    for label, value in values.items():
        family.add_metric(label, value)
    return family


def _analyses(took: Durations) -> Metric:
    buckets = [(str(bound), float(count)) for bound, count in took.within.items()]
    buckets.append(("+Inf", float(took.count)))
    what = "How long the analyses took whose results are stored."
    return HistogramMetricFamily("sedas_node_analysis_seconds", what, buckets=buckets, sum_value=took.seconds)


def _ticks(times: TickTimes) -> Iterator[Metric]:
    took = SummaryMetricFamily("sedas_node_tick_seconds", "How long the ticks took.", labels=["tick"])
    failed = CounterMetricFamily("sedas_node_tick_failures", "Ticks that failed.", labels=["tick"])
    succeeded = GaugeMetricFamily(
        "sedas_node_tick_last_success_timestamp_seconds",
        "When the tick last ended with success.",
        labels=["tick"],
    )
    for name, so_far in times.so_far().items():
        took.add_metric([name], so_far.calls, so_far.seconds)
        failed.add_metric([name], so_far.failures)
        if so_far.succeeded_at is not None:
            succeeded.add_metric([name], so_far.succeeded_at)
    yield from (took, failed, succeeded)
