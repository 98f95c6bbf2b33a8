"""Traces while nobody wants them."""

from opentelemetry.trace import SpanKind

from shared.telemetry.tracing import carried, span


def test_call_keeps_no_trace_of_its_producer_while_tracing_is_off() -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with span("webhook", SpanKind.SERVER, traceparent=traceparent):
        assert carried() == {}
