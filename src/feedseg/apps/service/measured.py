"""What Prometheus reads: counts and times, never pictures or words."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

SIZES = (1, 2, 4, 8, 16, 32)


class Metrics:
    """The figures of one process, in a registry of their own."""

    def __init__(self) -> None:
        own = CollectorRegistry()
        self.registry = own
        ProcessCollector(registry=own)  # memory, processor time, open files
        self.requests = Counter("feedseg_requests", "Requests to segment, by status", ["status"], registry=own)
        self.seconds = Histogram("feedseg_request_seconds", "From the first byte to the answer", registry=own)
        self.waiting = Gauge("feedseg_requests_now", "Requests that wait or are answered", registry=own)
        self.batch = Histogram("feedseg_batch_size", "Requests taken together", buckets=SIZES, registry=own)
        self.encoded = Counter("feedseg_images", "Images by whether they were encoded before", ["kept"], registry=own)
        self.cache = Gauge("feedseg_cache_bytes", "What the encoded images take that are kept", registry=own)
        self.abandoned = Counter("feedseg_abandoned", "Requests that nobody waits for any more", registry=own)

    def text(self) -> bytes:
        """All of them in Prometheus's format."""
        return generate_latest(self.registry)
