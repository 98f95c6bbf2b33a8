"""Deliveries at the address of a source: answers, states, what is remembered, pauses, tenants."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from sqlalchemy import text

from api.app import create_app
from api.intake.source_events import make_call
from shared.configuration.settings import ApiSettings
from shared.sources.options import Owner
from shared.sources.unassigned import forget_unassigned
from sources.adapter import Event
from tests.api.asking import PUBLIC_URL, Asker, WakeRecorder, environment, read
from tests.sources_pipeline.sending import SECRETS, Platform

SECRET: Final = "a-secret-of-16-letters"
FIELDS: Final = {
    "call_id": "id",
    "event": "event",
    "from_number": "caller",
    "to_number": "called",
    "direction": "way",
    "started_at": "began",
    "ended_at": "ended",
    "duration_seconds": "seconds",
    "summary": "words",
    "recording_url": "audio",
    "agent_id": "agent",
}
OPTIONS: Final = {"fields": FIELDS, "ended_when": {"path": "event", "value": "ended"}}
CALL: Final = {
    "id": "c1",
    "event": "ended",
    "caller": "+12025550123",
    "called": "+12025550100",
    "way": "inbound",
    "words": "Asked for a demo.",
}


def add_source(platform: Platform, **given: Any) -> dict[str, Any]:
    return platform.add(
        "generic", secret=SECRET, options=OPTIONS | given.pop("options", {}), **given
    )


def post(platform: Platform, source: dict[str, Any], body: Any, secret: str | None = SECRET) -> Any:
    headers = {"X-Webhook-Secret": secret} if secret else {}
    return platform.client.post(
        source["url"].removeprefix(PUBLIC_URL),
        data=body if isinstance(body, bytes) else json.dumps(body),
        headers=headers,
    )


def test_a_call_is_stored_once_and_grows(platform: Platform) -> None:
    source = add_source(platform)
    first = read(post(platform, source, CALL))
    assert first == {
        "success": True,
        "id": first["id"],
        "duplicate": False,
        "updated": False,
        "ignored": False,
    }
    assert read(post(platform, source, CALL))["duplicate"] is True
    later = {**CALL, "audio": "https://x.example.com/1.mp3"}
    assert read(post(platform, source, later)) == first | {"updated": True}
    (call,) = platform.read_calls()
    assert call["call_id"] == "generic:c1"
    assert (call["user_id"], call["workspace_id"]) == (platform.user_id, platform.workspace_id)
    assert call["content"]["summary"] == "Asked for a demo."
    shown = platform.show(source["id"])
    assert shown["state"] == "receiving"
    assert shown["counts"] == {"received": 3, "ignored": 0, "unreadable": 0, "refused": 0}
    assert shown["secrets"][0]["last_used_at"] == shown["last_received_at"]
    told = platform.deliveries(source["id"])
    assert [each["result"] for each in told] == ["updated", "duplicate", "stored"]
    assert told[0]["log_id"] == first["id"]
    assert told[0]["call_id"] == "generic:c1"
    assert "recording_url" in told[0]["fields"]
    assert "demo" not in json.dumps(told)


def test_another_path_or_an_unknown_id_is_not_found(platform: Platform) -> None:
    source = add_source(platform)
    for path in (
        f"/api/webhooks/vapi/{source['id']}",
        f"/api/webhooks/nobody/{source['id']}",
        "/api/webhooks/generic/src_00000000000000000000000000000000",
        "/api/webhooks/generic/x",
    ):
        answer = platform.client.post(path, json=CALL, headers={"X-Webhook-Secret": SECRET})
        assert answer.status_code == 404
    assert platform.client.get(source["url"].removeprefix(PUBLIC_URL)).status_code == 405


def test_a_source_without_a_secret_takes_nothing(platform: Platform) -> None:
    source = platform.add("generic", options=OPTIONS)
    assert post(platform, source, CALL).status_code == 401
    assert platform.show(source["id"])["state"] == "needs_secret"
    platform.change(source["id"], add_secret=SECRET)
    assert post(platform, source, CALL).status_code == 200


def test_secrets_rotate_at_once(platform: Platform) -> None:
    source = add_source(platform)
    assert post(platform, source, CALL).status_code == 200
    old = source["secrets"][0]["id"]
    platform.change(source["id"], add_secret="the-next-secret")
    for secret in (SECRET, "the-next-secret"):
        assert post(platform, source, CALL, secret).status_code == 200
    platform.change(source["id"], remove_secret=old)
    assert post(platform, source, CALL).status_code == 401
    assert post(platform, source, CALL, "the-next-secret").status_code == 200


def test_a_source_turns_red_by_its_vendors_deliveries_only(platform: Platform) -> None:
    source = add_source(platform)
    assert post(platform, source, CALL).status_code == 200
    assert post(platform, source, CALL, None).status_code == 401
    assert post(platform, source, b"<?php", None).status_code == 401
    assert platform.show(source["id"])["state"] == "receiving"
    answer = post(platform, source, CALL, "another-secret")
    assert answer.status_code == 401
    assert read(answer)["error"]["code"] == "invalid_signature"
    shown = platform.show(source["id"])
    assert shown["state"] == "refusing"
    assert shown["last_refusal"]["code"] == "wrong_signature"
    assert shown["last_refusal"]["message"]
    assert shown["counts"]["refused"] == 3
    assert post(platform, source, CALL).status_code == 200
    assert platform.show(source["id"])["state"] == "receiving"


def test_ignored_events_cost_no_row_and_are_counted_by_name(platform: Platform) -> None:
    source = platform.add("vapi", secret=SECRETS[2])
    path = source["url"].removeprefix(PUBLIC_URL)
    headers = {"X-Vapi-Secret": SECRETS[2]}
    for _ in range(40):
        sent = {"message": {"type": "speech-update", "call": {"id": "c"}}}
        answer = platform.client.post(path, json=sent, headers=headers)
        assert read(answer)["ignored"] is True
    misplaced = {"message": {"type": "tool-calls", "call": {"id": "c"}}}
    assert platform.client.post(path, json=misplaced, headers=headers).status_code == 200
    shown = platform.show(source["id"])
    assert shown["counts"]["ignored"] == 41
    assert shown["state"] == "waiting"
    told = {each["event"]: each for each in platform.deliveries(source["id"])}
    assert told["speech-update"]["count"] == 40
    assert told["tool-calls"]["message"]
    assert platform.read_calls() == []
    (rows,) = platform.read_rows("SELECT count(*) FROM call_source_counts")
    assert rows[0] == 2


def test_ignored_events_are_answered_before_any_quota(platform: Platform) -> None:
    source = platform.add("vapi", secret=SECRETS[2])
    services = platform.services
    whose = (platform.workspace_id, platform.user_id)
    services.buckets.take_if_any(services.quotas.calling, {whose: 1e9})
    path = source["url"].removeprefix(PUBLIC_URL)
    headers = {"X-Vapi-Secret": SECRETS[2]}
    ignored = {"message": {"type": "speech-update"}}
    assert platform.client.post(path, json=ignored, headers=headers).status_code == 200
    generic = add_source(platform)
    answer = post(platform, generic, CALL)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert read(answer)["error"]["code"] == "over_quota"
    assert platform.read_calls() == []


def test_what_cannot_be_read_is_shown_and_answered_with_200(platform: Platform) -> None:
    source = add_source(platform)
    for body in (b"{", b"\xff", b"[]", b"[" * 100_000):
        answer = post(platform, source, body)
        assert answer.status_code == 200
        assert read(answer)["ignored"] == "unreadable"
    shown = platform.show(source["id"])
    assert shown["counts"]["unreadable"] == 4
    assert shown["state"] == "waiting"
    assert all(each["message"] for each in platform.deliveries(source["id"]))


def test_large_deliveries_are_taken_and_too_large_ones_are_answered(platform: Platform) -> None:
    source = add_source(platform)
    large = {**CALL, "noise": "x" * (5 * 1024 * 1024)}
    assert read(post(platform, source, large))["id"]
    (size,) = platform.read_rows("SELECT payload_bytes FROM calls")
    assert size[0] < 1000
    answer = post(platform, source, {**CALL, "noise": "x" * (9 * 1024 * 1024)})
    assert answer.status_code == 200
    assert read(answer)["ignored"] == "too_large"
    answer = post(platform, source, {**CALL, "noise": "x" * (9 * 1024 * 1024)}, None)
    assert answer.status_code == 401
    assert post(platform, source, CALL).status_code == 200


def test_only_the_last_fifty_deliveries_are_remembered(platform: Platform) -> None:
    source = add_source(platform)
    for number in range(70):
        post(platform, source, {**CALL, "id": f"c{number}"})
        if number % 20 == 0:
            platform.services.journal.flush()
    told = platform.deliveries(source["id"])
    assert [each["call_id"] for each in told] == [f"generic:c{n}" for n in range(69, 19, -1)]
    (rows,) = platform.read_rows("SELECT count(*) FROM call_source_deliveries")
    assert rows[0] == 50


def test_calls_of_a_paused_source_wait_until_somebody_decides(
    platform: Platform,
) -> None:
    source = add_source(platform, paused=True)
    assert source["state"] == "paused"
    for call_id in ("c1", "c2"):
        assert post(platform, source, {**CALL, "id": call_id}).status_code == 200
    assert {each["error_code"] for each in platform.read_calls()} == {"held"}
    assert platform.show(source["id"])["held"] == 2
    later = {**CALL, "audio": "https://x.example.com/1.mp3"}
    assert read(post(platform, source, later))["updated"] is True
    source = platform.change(source["id"], paused=False)
    assert source["held"] == 2
    source = platform.change(source["id"], held="write")
    assert source["held"] == 0
    assert {each["status"] for each in platform.read_calls()} == {"pending"}

    platform.change(source["id"], paused=True)
    post(platform, source, {**CALL, "id": "c3"})
    source = platform.change(source["id"], paused=False, held="drop")
    assert source["held"] == 0
    dropped = platform.read_calls()[-1]
    assert (dropped["status"], dropped["error_code"], dropped["content"]) == (
        "skipped",
        "held",
        None,
    )
    again = read(post(platform, source, {**CALL, "id": "c3", "words": "More"}))
    assert again["duplicate"] is True


def test_of_two_parties_the_only_number_is_the_customers() -> None:
    def make(*parties: str | None) -> tuple[str | None, Any]:
        event = Event(name="ended", call="c1", facts={"parties": (parties[0], parties[1])})
        call = make_call(event, vendor="generic", source_id="src_1", owner=Owner("u", "w"))
        return call.phone_number, json.loads(call.document).get("direction")

    assert make("+12025550123", None) == ("+12025550123", "inbound")
    assert make(None, "+12025550123") == ("+12025550123", "outbound")
    assert make("+12025550123", "+12025550100") == (None, None)


def test_numbers_without_a_country_are_read_by_the_sources_region(platform: Platform) -> None:
    source = add_source(platform, options={"default_region": "GB"})
    post(platform, source, {**CALL, "caller": "020 7946 0018"})
    (call,) = platform.read_rows("SELECT phone_number FROM hubspot_sync_logs")
    assert call[0] == "+442079460018"


def test_a_stated_duration_beats_the_times(platform: Platform) -> None:
    source = add_source(platform)
    times = {"began": "2026-11-22T09:57:00Z", "ended": "2026-11-22T10:00:00Z"}
    post(platform, source, {**CALL, **times, "seconds": 90})
    (call,) = platform.read_calls()
    assert call["content"]["duration_seconds"] == 90


def test_a_call_that_has_begun_waits_for_its_end(platform: Platform) -> None:
    source = add_source(platform)
    begun = {"id": "c1", "event": "ringing", "caller": "+12025550123", "way": "inbound"}
    post(platform, source, {**begun, "began": "2026-11-22T09:57:00Z"})
    (row,) = platform.read_rows(
        "SELECT next_attempt_at - created_at AS wait, awaits_end FROM hubspot_sync_logs"
    )
    assert row.awaits_end
    assert row.wait > timedelta(hours=23)


def test_forwarded_deliveries_are_taken_with_a_secret_of_their_own(platform: Platform) -> None:
    source = add_source(platform, options={"forwarded": "the-secret-of-n8n"})
    path = source["url"].removeprefix(PUBLIC_URL)

    def forward(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return platform.client.post(path, json=CALL, headers=headers).status_code

    assert forward("the-secret-of-n8n") == 200
    assert forward(SECRET) == 401
    assert forward("") == 401
    assert post(platform, source, CALL, "the-secret-of-n8n").status_code == 401
    assert post(platform, source, CALL).status_code == 200
    platform.change(source["id"], options=OPTIONS)
    assert forward("the-secret-of-n8n") == 401


def test_postgres_being_away_is_answered_with_503() -> None:
    settings = ApiSettings.load(environment())
    client = create_app(settings, waker=WakeRecorder()).test_client()
    answer = client.post("/api/webhooks/generic/src_x", json=CALL)
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers


NOW_MS: Final = int(datetime.now(UTC).timestamp() * 1000)
TENANTS: Final = {
    "from": ["table", "metadata"],
    "table": {"agent_1": "ada/ws_a", "+1 202 555 0100": "bob/ws_b"},
    "allowed": ["cleo/ws_c"],
}


@pytest.fixture
def shared(platform: Platform) -> tuple[Platform, dict[str, Any]]:
    """A platform's source whose calls say whose they are."""
    own = platform.as_role("platform")
    return own, own.add("vapi", secret=SECRETS[2], options={"tenants": TENANTS})


def report(platform: Platform, source: dict[str, Any], **message: Any) -> dict[str, Any]:
    body = {
        "message": {
            "type": "end-of-call-report",
            "endedReason": "customer-ended-call",
            "timestamp": NOW_MS,
            **message,
        }
    }
    answer = platform.client.post(
        source["url"].removeprefix(PUBLIC_URL), json=body, headers={"X-Vapi-Secret": SECRETS[2]}
    )
    assert answer.status_code == 200, answer.text
    return dict(read(answer))


def called(call_id: str, **of_call: Any) -> dict[str, Any]:
    return {
        "call": {
            "id": call_id,
            "type": "inboundPhoneCall",
            "customer": {"number": "+12025550123"},
            **of_call,
        }
    }


def test_a_platforms_calls_go_to_their_tenants(shared: tuple[Platform, dict[str, Any]]) -> None:
    own, source = shared
    assert report(own, source, **called("1", assistantId="agent_1"))["id"]
    metadata = {"user_id": "cleo", "workspace_id": "ws_c"}
    assert report(own, source, **called("2", metadata=metadata))["id"]
    # Later events that name nobody, or somebody else, belong to the call's tenant.
    report(own, source, **called("1"), summary="Later.")
    report(own, source, **called("2", assistantId="agent_1"), summary="Later.")
    owners = {each["call_id"]: each["user_id"] for each in own.read_calls()}
    assert owners == {"vapi:1": "ada", "vapi:2": "cleo"}


def test_metadata_names_only_who_is_allowed(shared: tuple[Platform, dict[str, Any]]) -> None:
    own, source = shared
    for metadata in (
        {"user_id": "ada", "workspace_id": "ws_a"},
        {"user_id": "cleo", "workspace_id": "ws_b"},
        {"user_id": "cleo/ws_c", "workspace_id": "x"},
        {"workspace_id": "ws_c"},
    ):
        assert report(own, source, **called("1", metadata=metadata))["id"] is None
    assert own.read_calls() == []


def test_unassigned_calls_wait_encrypted_for_an_entry_of_the_table(
    shared: tuple[Platform, dict[str, Any]],
) -> None:
    own, source = shared
    answer = report(own, source, **called("1", assistantId="agent_9"), summary="Planted words")
    assert answer == {
        "success": True,
        "id": None,
        "duplicate": False,
        "updated": False,
        "ignored": False,
    }
    again = report(own, source, **called("1", assistantId="agent_9"), summary="Planted words")
    assert again["duplicate"] is True
    assert own.show(source["id"])["unassigned"] == 1
    (waiting,) = read(own.ask("GET", f"/{source['id']}/unassigned"))["unassigned"]
    assert "agent_9" in waiting["keys"]
    assert waiting["calls"] == 1
    rows = own.read_rows("SELECT row_to_json(u)::text FROM call_source_unassigned u")
    assert not any("Planted" in row[0] or "2025550123" in row[0] for row in rows)

    table = {**TENANTS["table"], "agent_9": "dora/ws_d"}  # type: ignore[dict-item]
    own.change(source["id"], options={"tenants": {**TENANTS, "table": table}})
    (call,) = own.read_calls()
    assert (call["user_id"], call["status"]) == ("dora", "pending")
    assert call["content"]["summary"] == "Planted words"
    assert own.show(source["id"])["unassigned"] == 0


def test_what_came_before_the_tenant_was_known_follows_the_call(
    shared: tuple[Platform, dict[str, Any]],
) -> None:
    own, source = shared
    report(own, source, **called("1"), summary="Before.")
    assert own.read_calls() == []
    report(own, source, **called("1", assistantId="agent_1"))
    (call,) = own.read_calls()
    assert call["user_id"] == "ada"
    assert call["content"]["summary"] == "Before."
    assert own.show(source["id"])["unassigned"] == 0


def test_nobody_claims_a_call_for_thirty_days_and_it_is_deleted(
    shared: tuple[Platform, dict[str, Any]],
) -> None:
    own, source = shared
    report(own, source, **called("1"))
    with own.database.begin() as session:
        assert forget_unassigned(session, most=10) == 0
        session.execute(
            text("UPDATE call_source_unassigned SET received_at = now() - interval '31 days'")
        )
        assert forget_unassigned(session, most=10) == 1
    assert own.show(source["id"])["unassigned"] == 0


def test_the_log_names_the_source_and_what_was_left_out(platform: Platform) -> None:
    source = platform.add("vapi", name="Reception", secret=SECRETS[2])
    link = "https://x.example.com/1.wav?X-Amz-Date=20261128T100000Z&X-Amz-Expires=3600"
    # Wherever the vendor puts links that end within the hour.
    report(platform, source, **called("1"), artifact={"presignedMonoUrl": link})
    asker = Asker(platform.client, platform.user_id, platform.workspace_id)
    (entry,) = asker.get("sync-logs")["logs"]
    assert entry["source"] == {"vendor": "vapi", "name": "Reception"}
    assert entry["notices"]
    platform.ask("DELETE", f"/{source['id']}")
    (entry,) = asker.get("sync-logs")["logs"]
    assert entry["source"] is None
