"""Traces from webhook to HubSpot, in OpenTelemetry's terms; off until `start_tracing`.

A webhook, a turn and a request to HubSpot is a span each. A turn serves many calls, so it is linked
with their webhooks instead of being the child of one. Spans hold ids, counts and statuses, and of
an error only its type: messages may quote what a customer's data says.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event
from typing import Final

from opentelemetry import trace
from opentelemetry.trace import Link, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.version import own_version

Attributes = Mapping[str, str | int | None]

# W3C's name for the context, as a header and in a stored call alike.
TRACEPARENT: Final = "traceparent"

# OpenTelemetry's spans that nobody receives still cost a webhook a twentieth of its time.
_is_on = Event()
_tracer = trace.get_tracer("callsync")
_w3c = TraceContextTextMapPropagator()


def start_tracing(component: str) -> None:
    """Send spans to the collector of OTEL_EXPORTER_OTLP_ENDPOINT, from a thread of its own.

    OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER and OpenTelemetry's other variables apply. A
    collector that is away costs spans, and warnings in the log.
    """
    # Loaded only where it is wanted: 15 MB and a fifth of a second.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    service = {"service.name": f"callsync-{component}", "service.version": own_version()}
    provider = TracerProvider(resource=Resource.create(service))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    _is_on.set()


@contextmanager
def span(
    name: str,
    kind: SpanKind,
    attributes: Attributes | None = None,
    *,
    traceparent: str | None = None,
    links: Iterable[Link] = (),
) -> Iterator[None]:
    """What happens inside the block, as a span.

    Args:
        name: Of few values, such as `hubspot search_contacts`.
        kind: On which side of what.
        attributes: As for `annotate`.
        traceparent: The header of a request that is answered; the trace it names goes on.
        links: To spans that led to this one, from `links_to`.
    """
    if not _is_on.is_set():
        yield
        return
    with _tracer.start_as_current_span(
        name,
        context=None if traceparent is None else _w3c.extract({TRACEPARENT: traceparent}),
        kind=kind,
        links=list(links),
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        annotate(attributes or {})
        try:
            yield
        except Exception as error:
            annotate({"error.type": type(error).__name__})
            current.set_status(StatusCode.ERROR)
            raise


def annotate(attributes: Attributes) -> None:
    """Add what is known to the current span; None counts as unknown. Ids, never contents."""
    if not _is_on.is_set():
        return
    current = trace.get_current_span()
    for name, value in attributes.items():
        if value is not None:
            current.set_attribute(name, value)


def carried() -> dict[str, str]:
    """What a stored call keeps of the current span; empty while tracing is off."""
    carrier: dict[str, str] = {}
    if trace.get_current_span().is_recording():  # else it is the producer's that is current
        _w3c.inject(carrier)
    return carrier


def link_to(payloads: Iterable[Mapping[str, object]]) -> None:
    """Link the current span with the webhooks of calls whose contents were loaded inside it."""
    if _is_on.is_set():
        for link in links_to(payloads):
            trace.get_current_span().add_link(link.context)


def links_to(payloads: Iterable[Mapping[str, object] | None]) -> list[Link]:
    """Links to the webhooks of stored calls, as far as they were traced."""
    links = []
    for payload in payloads:
        traceparent = (payload or {}).get(TRACEPARENT)
        if isinstance(traceparent, str):
            context = _w3c.extract({TRACEPARENT: traceparent})
            links.append(Link(trace.get_current_span(context).get_span_context()))
    return links
