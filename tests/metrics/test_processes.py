"""The real processes, watched: metrics of each, traces from webhook to HubSpot, Flower."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import psutil
import pytest
import requests
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.parser import text_string_to_metric_families

from local.processes import free_port
from local.producer import Producer
from local.stack import Stack
from local.visitor import Visitor, sign_in
from sandbox.client import SandboxControl
from shared.configuration.environment import list_settings
from shared.configuration.settings import (
    GROUPS,
    ApiSettings,
    BrokerSettings,
    FlowerSettings,
    Settings,
    WorkerSettings,
)
from tests.local.waiting import wait_for
from tests.metrics.collector import Collector, attributes_of, run_collector

PASSWORD = ("ops", "heron-on-the-quay")
PHONE = "+12025550123"
SUMMARY = "Wants a kingfisher"
CALLS = 3
IDENTITY = {"user_id": "user_1", "workspace_id": "ws_1"}


class Watched:
    """A service whose only workspace has had its calls synced by one of two workers."""

    def __init__(self, stack: Stack, collector: Collector, ports: range) -> None:
        self.stack = stack
        self.collector = collector
        self.ports = ports
        self.log_ids: list[str] = []
        with SandboxControl(stack.env["HUBSPOT_API_URL"]) as sandbox:
            self.hub_id = sandbox.add_account()
            sandbox.add_contacts(self.hub_id, [{"phone": PHONE}])
            token = sign_in(stack.env["JWT_SECRET"], **IDENTITY, lasts=timedelta(hours=1))
            with Visitor(stack.api_url, token) as visitor:
                visitor.connect(sandbox, self.hub_id)
                self._sync(visitor)

    def _sync(self, visitor: Visitor) -> None:
        producer = Producer(self.stack.api_url, self.stack.env["WEBHOOK_SECRETS"])
        for number in range(CALLS):
            call = {"call_id": f"call_{number}", **IDENTITY, "phone_number": PHONE}
            self.log_ids.append(producer.post_call(call | {"summary": SUMMARY}).log_id)
        wait_for(lambda: visitor.get("/api/hubspot/status")["counts"]["success"] == CALLS)

    def measure(self, url: str) -> dict[str, float]:
        """By name and label values: `callsync_notes_total/created`."""
        families = text_string_to_metric_families(requests.get(url, timeout=240).text)
        return {
            "/".join([sample.name, *sample.labels.values()]): sample.value
            for family in families
            for sample in family.samples
        }

    def measure_workers(self) -> list[dict[str, float]]:
        return [self.measure(f"http://127.0.0.1:{port}") for port in self.ports]

    def ask_flower(self, path: str, **how: Any) -> requests.Response:
        return requests.get(f"{self.stack.flower_url}{path}", timeout=240, **how)


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    port = free_port()
    with ExitStack() as cleanup:
        patch = cleanup.enter_context(pytest.MonkeyPatch.context())
        for name in ("DATABASE_URL", "REDIS_URL"):
            patch.delenv(name, raising=False)
        collector = cleanup.enter_context(run_collector())
        settings = {
            "METRICS_PORT": f"{port}-{port + 1}",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "FLOWER_BASIC_AUTH": ":".join(PASSWORD),
        }
        stack = Stack(workers=2, flower=True, durable=False, env=settings)
        yield Watched(cleanup.enter_context(stack), collector, range(port, port + 2))


def test_two_workers_on_one_machine_take_a_port_each(watched: Watched) -> None:
    for measured in watched.measure_workers():
        assert any(name.startswith("callsync_build_info/worker/") for name in measured)


def test_calls_are_counted_where_they_are_worked_on(watched: Watched) -> None:
    def total(name: str) -> float:
        return sum(measured.get(name, 0) for measured in watched.measure_workers())

    wait_for(lambda: total("callsync_turn_calls_sum") == CALLS)
    assert total("callsync_outcomes_total//success") == CALLS
    assert total("callsync_notes_total/created") == CALLS
    assert total("callsync_webhook_to_note_seconds_count/live") == CALLS
    assert total("callsync_webhook_to_note_seconds_bucket/live/30.0") == CALLS
    assert 1 <= total("callsync_turns_total/worked") <= CALLS
    assert total("callsync_hubspot_requests_total/search_contacts/POST/200") == 1  # then the cache
    assert total("callsync_hubspot_requests_total/create_notes/POST/201") >= 1
    assert total("callsync_budget_wait_seconds_count/requests") >= 1
    assert total("callsync_hubspot_limit_used_ratio_count") >= 1


def test_api_counts_webhooks_and_wake_ups(watched: Watched) -> None:
    measured = watched.measure(f"{watched.stack.api_url}/metrics")
    assert measured["callsync_webhooks_total/202"] == CALLS
    assert measured["callsync_webhook_seconds_count"] >= CALLS
    # Webhooks that come while one of them is being published need no wake-up of their own.
    assert measured["callsync_wake_ups_total/published"] >= 1
    assert measured["callsync_connections/connected"] == 1
    assert measured["callsync_oldest_due_seconds"] == 0


def test_refused_webhooks_are_counted_too(watched: Watched) -> None:
    name = "callsync_webhooks_total/401"
    before = watched.measure(f"{watched.stack.api_url}/metrics").get(name, 0)
    requests.post(f"{watched.stack.api_url}/api/webhooks/call-ended", data=b"{}", timeout=240)
    assert watched.measure(f"{watched.stack.api_url}/metrics")[name] == before + 1


def test_workers_say_when_they_swept(watched: Watched) -> None:
    name = "callsync_sweep_last_success_timestamp_seconds"
    wait_for(lambda: max(measured[name] for measured in watched.measure_workers()) > 0)


def spans_of_turns(watched: Watched) -> list[Span]:
    def linked_calls() -> int:
        return sum(len(turn.links) for turn in watched.collector.spans("callsync-worker", "turn"))

    wait_for(lambda: linked_calls() == CALLS)
    return watched.collector.spans("callsync-worker", "turn")


def spans_of_webhooks(watched: Watched) -> dict[str | int, Span]:
    """By log id, those of webhooks that were accepted."""

    def find() -> dict[str | int, Span]:
        spans = watched.collector.spans("callsync-api", "webhook")
        found = ((attributes_of(span).get("callsync.log_id"), span) for span in spans)
        return {log_id: span for log_id, span in found if log_id is not None}

    wait_for(lambda: len(find()) == CALLS)
    return find()


def test_turn_is_linked_with_the_webhooks_of_its_calls(watched: Watched) -> None:
    turns, webhooks = spans_of_turns(watched), spans_of_webhooks(watched)
    linked = {(link.trace_id, link.span_id) for turn in turns for link in turn.links}
    assert linked == {(each.trace_id, each.span_id) for each in webhooks.values()}
    assert webhooks.keys() == set(watched.log_ids)


def test_requests_to_hubspot_are_inside_their_turn(watched: Watched) -> None:
    turns = {turn.span_id: turn for turn in spans_of_turns(watched)}
    assert all(attributes_of(turn)["callsync.hub_id"] == watched.hub_id for turn in turns.values())
    (written, *_) = watched.collector.spans("callsync-worker", "hubspot create_notes")
    assert written.parent_span_id in turns
    assert attributes_of(written) == {
        "http.request.method": "POST",
        "http.response.status_code": 201,
    }


def test_webhook_goes_on_with_the_trace_of_its_producer(watched: Watched) -> None:
    trace_id, span_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    refused = requests.post(
        f"{watched.stack.api_url}/api/webhooks/call-ended",
        headers={"traceparent": f"00-{trace_id}-{span_id}-01"},
        data=b"{}",
        timeout=240,
    )
    assert refused.status_code == 401

    def find() -> list[Span]:
        spans = watched.collector.spans("callsync-api", "webhook")
        return [span for span in spans if span.trace_id == bytes.fromhex(trace_id)]

    wait_for(lambda: bool(find()))
    (span,) = find()
    assert span.parent_span_id == bytes.fromhex(span_id)
    assert attributes_of(span)["error.type"] == "InvalidSignatureError"


def test_traces_hold_nothing_of_the_call(watched: Watched) -> None:
    assert spans_of_turns(watched)
    assert spans_of_webhooks(watched)
    sent = b"".join(request.SerializeToString() for request in watched.collector.requests)
    for secret in (PHONE[2:], SUMMARY, *watched.stack.env["WEBHOOK_SECRETS"].split(",")):
        assert secret.encode() not in sent


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("api", ApiSettings),
        ("worker-1", WorkerSettings),
        ("beat", BrokerSettings),
        ("flower", FlowerSettings),
        ("sandbox", Settings),
    ],
)
def test_process_is_given_only_variables_of_its_own(
    watched: Watched, name: str, group: type[Settings]
) -> None:
    given = psutil.Process(watched.stack.process(name).pid).environ()
    known = {each.upper() for every in GROUPS for each in list_settings(every)}

    assert given.keys() & known <= {each.upper() for each in list_settings(group)}


@pytest.mark.parametrize("path", ["/", "/tasks", "/api/tasks", "/api/workers"])
def test_flower_asks_for_the_password(watched: Watched, path: str) -> None:
    assert watched.ask_flower(path).status_code == 401
    assert watched.ask_flower(path, auth=("ops", "wrong")).status_code == 401
    assert watched.ask_flower(path, auth=PASSWORD).status_code == 200


def turns_in_flower(watched: Watched) -> list[dict[str, Any]]:
    query = {"taskname": "callsync.sync_connection", "state": "SUCCESS"}
    tasks = watched.ask_flower("/api/tasks", auth=PASSWORD, params=query).json().values()
    return [task for task in tasks if "'calls'" in task["result"]]


def test_flower_shows_what_a_turn_did_and_for_which_account(watched: Watched) -> None:
    def shown_calls() -> int:
        results = [task["result"] for task in turns_in_flower(watched)]
        return sum(int(result.split("'success': ")[1].rstrip("}")) for result in results)

    wait_for(lambda: shown_calls() == CALLS)
    for task in turns_in_flower(watched):
        assert task["result"].startswith(f"{{'hub_id': {watched.hub_id}, 'calls': ")
        assert task["args"].startswith("('hc_")
        assert task["runtime"] > 0
        assert task["worker"].startswith("worker-")
        assert PHONE[2:] not in str(task)


def test_flower_only_shows(watched: Watched) -> None:
    workers = watched.ask_flower("/api/workers", auth=PASSWORD).json()
    url = f"{watched.stack.flower_url}/api/worker/shutdown/{next(iter(workers), 'any')}"
    assert requests.post(url, auth=PASSWORD, timeout=240).status_code == 403


def test_flower_lists_accounts_and_outcomes(watched: Watched) -> None:
    page = watched.ask_flower("/tasks", auth=PASSWORD).text
    columns = re.findall(r'data-column="(\w+)"', page)
    assert columns == ["name", "args", "state", "result", "runtime", "received", "worker"]
