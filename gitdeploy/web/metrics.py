"""What Prometheus asks for, in a registry of its own, so that two servers in a process don't mix.

Deployments, steps, runs and hooks out are counted from the one stream of events; nothing names an app, as any
token may read this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    generate_latest,
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_SLOW = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0)


class Metrics:
    """The counters of one server; `record` takes every event, `page` is what is scraped."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        self._requests = Counter(
            "gitdeploy_http_requests",
            "HTTP requests by operation and status.",
            ("method", "operation", "status"),
            registry=registry,
        )
        self._request_seconds = Histogram(
            "gitdeploy_http_request_seconds",
            "Seconds until a request was answered, streams excluded.",
            registry=registry,
            buckets=_FAST,
        )
        self._deployments = Counter(
            "gitdeploy_deployments",
            "Deployments that ended, by status.",
            ("status",),
            registry=registry,
        )
        self._deployment_seconds = Histogram(
            "gitdeploy_deployment_seconds",
            "Seconds a successful deployment took.",
            registry=registry,
            buckets=_SLOW,
        )
        self._step_seconds = Histogram(
            "gitdeploy_step_seconds",
            "Seconds a step of the pipeline took.",
            ("step",),
            registry=registry,
            buckets=_SLOW,
        )
        self._runs = Counter(
            "gitdeploy_runs", "Runs that ended, by status.", ("status",), registry=registry
        )
        self._hooks = Counter(
            "gitdeploy_hook_tries",
            "Tries to tell a hook, by what became of it.",
            ("result",),
            registry=registry,
        )
        self.jobs_running = Gauge(
            "gitdeploy_jobs_running", "Jobs that run now, by kind.", ("kind",), registry=registry
        )

    def request(self, method: str, operation: str, status: int, seconds: float | None) -> None:
        """Count an answered request; `seconds` None for a stream, whose length says nothing."""
        self._requests.labels(method, operation, str(status)).inc()
        if seconds is not None:
            self._request_seconds.observe(seconds)

    def record(self, record: Mapping[str, Any]) -> None:
        """Take an event of the stream and count what is to be counted."""
        event = record.get("event")
        seconds = float(record.get("duration_ms") or 0) / 1000
        if event == "step.finished":
            self._step_seconds.labels(str(record.get("step"))).observe(seconds)
        elif event == "deploy.succeeded":
            self._deployments.labels("success").inc()
            self._deployment_seconds.observe(seconds)
        elif event == "deploy.failed":
            self._deployments.labels("failed").inc()
        elif event == "run.ended":
            self._runs.labels(str(record.get("status")).lower()).inc()
        elif event in ("hook.delivered", "hook.delayed", "hook.given_up"):
            self._hooks.labels(event.removeprefix("hook.")).inc()

    def page(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)
