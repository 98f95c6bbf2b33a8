"""Intake: who may send, what is accepted, and what every malformed body is told."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from api.intake.call_ended import EndedCall
from shared.activities.news import apply_news
from shared.calls.contents import read_contents
from shared.database.engines import Database
from shared.models import Call, SyncLog
from tests.api.asking import (
    PLATFORM_SECRET,
    Asker,
    WakeRecorder,
    call_ended,
    post_webhook,
    read,
    signed_headers,
)

URL = "/api/webhooks/call-ended"
CUSTOMER = "+12025550123"


def stored_log(database: Database, log_id: str) -> SyncLog:
    with database.begin() as session:
        return session.get_one(SyncLog, log_id)


def stored_payload(database: Database, log_id: str) -> dict[str, Any]:
    with database.begin() as session:
        return session.get_one(Call, log_id).payload


def call_updated(**data: Any) -> dict[str, Any]:
    return call_ended(**{"call_id": "c"} | data) | {"type": "call.updated"}


def test_call_is_stored_as_pending_with_its_contents(database: Database, asker: Asker) -> None:
    log_id = asker.send_call(
        phone_number="+1 (202) 555-0123",
        direction="inbound",
        started_at="2026-11-22T09:57:00+01:00",
        duration_seconds=180,
        summary="Wants a demo",
        transcript=[{"role": "user", "text": "Hello", "confidence": 0.9}],
        structured_data={"intent": "demo", "outcome": "booked"},
        something_new={"ignored": True},
    )

    entry = stored_log(database, log_id)
    assert (entry.status, entry.phone_number) == ("pending", "+12025550123")
    assert (entry.user_id, entry.workspace_id) == (asker.user_id, asker.workspace_id)
    payload = stored_payload(database, log_id)
    assert payload["summary"] == "Wants a demo"
    assert payload["started_at"] == "2026-11-22T08:57:00+00:00"
    assert payload["transcript"] == [{"role": "user", "text": "Hello"}]
    assert payload["structured_data"] == {"intent": "demo", "outcome": "booked"}
    assert "something_new" not in payload


def test_call_delivered_twice_is_the_same_call(database: Database, asker: Asker) -> None:
    event = call_ended(**asker.tenant, call_id="c", summary="one")
    first = read(post_webhook(asker.client, event))
    second = post_webhook(asker.client, event)

    assert (first["duplicate"], first["updated"]) == (False, False)
    assert second.status_code == 202
    assert read(second) == {
        "success": True,
        "id": first["id"],
        "duplicate": True,
        "updated": False,
    }
    assert stored_payload(database, first["id"])["summary"] == "one"


def test_more_of_a_call_completes_it(database: Database, asker: Asker) -> None:
    log_id = asker.send_call(call_id="c", summary="one")
    told = read(post_webhook(asker.client, call_updated(**asker.tenant, outcome="won")))
    assert told == {"success": True, "id": log_id, "duplicate": False, "updated": True}
    again = read(post_webhook(asker.client, call_updated(**asker.tenant, outcome="won")))
    assert (again["duplicate"], again["updated"]) == (True, False)
    with database.begin() as session:
        assert read_contents(session, [log_id])[log_id] == {
            "call_id": "c",
            "summary": "one",
            "outcome": "won",
        }


def test_an_earlier_event_that_comes_late_fills_gaps_only(database: Database, asker: Asker) -> None:
    def send(minute: int, **data: Any) -> Any:
        event = call_updated(**asker.tenant, **data) | {
            "timestamp": f"2026-11-22T10:{minute:02}:00Z"
        }
        return read(post_webhook(asker.client, event))

    log_id = send(5, summary="new")["id"]
    assert send(1, summary="old")["duplicate"] is True
    assert send(1, summary="old", agent_name="Ada")["updated"] is True
    with database.begin() as session:
        content = read_contents(session, [log_id])[log_id]
    assert (content["summary"], content["agent_name"]) == ("new", "Ada")


def test_call_whose_end_is_not_reported_waits_for_it(database: Database, asker: Asker) -> None:
    told = read(
        post_webhook(asker.client, call_updated(**asker.tenant, phone_number="+12025550123"))
    )
    entry = stored_log(database, told["id"])
    assert (entry.status, entry.awaits_end) == ("pending", True)
    assert entry.next_attempt_at is not None
    assert entry.next_attempt_at > entry.created_at


@pytest.mark.parametrize(
    "shown",
    [
        {"ended_at": "2026-11-22T10:00:00Z"},
        {"duration_seconds": 0},
        {"outcome": "No answer"},
        {"final": True},
        {"final": "true"},
    ],
    ids=range(5),
)
def test_event_that_shows_that_the_call_is_over_ends_it_whatever_its_name(
    database: Database, asker: Asker, shown: dict[str, Any]
) -> None:
    told = read(post_webhook(asker.client, call_updated(**asker.tenant, **shown)))
    assert stored_log(database, told["id"]).awaits_end is False


@pytest.mark.parametrize(
    ("withdrawn", "kept", "warned"),
    [
        (["recording_url"], ["recording_url"], []),
        ("recording_url, transcript", ["recording_url", "transcript"], []),
        (["recording_url", "user_id", 5, None, {"a": []}], ["recording_url"], ["withdrawn"]),
        ({"recording_url": True}, None, ["withdrawn"]),
        (True, None, ["withdrawn"]),
        ([], None, []),
        (None, None, []),
        ("\0", None, ["withdrawn"]),
        (["recording_url"] * 10_000, ["recording_url"], []),
        (["nothing"] * 10_000, None, ["withdrawn"]),
    ],
    ids=range(10),
)
def test_fields_that_are_withdrawn_are_not_kept(
    database: Database, asker: Asker, withdrawn: Any, kept: list[str] | None, warned: list[str]
) -> None:
    told = read(
        post_webhook(
            asker.client,
            call_ended(
                **asker.tenant, recording_url="https://h.example/a.mp3", withdrawn=withdrawn
            ),
        )
    )
    assert stored_log(database, told["id"]).withdrawn == kept
    has_link = "recording_url" in stored_payload(database, told["id"])
    assert has_link is (kept is None)
    assert [each["field"] for each in told.get("warnings", [])] == warned


@pytest.mark.parametrize("final", ["maybe", 2, [], {}, [True, False], "\0", 10**400])
def test_flag_that_cannot_be_read_is_left_out(database: Database, asker: Asker, final: Any) -> None:
    told = read(post_webhook(asker.client, call_updated(**asker.tenant, final=final)))
    assert stored_log(database, told["id"]).awaits_end is True


def test_agent_is_kept_by_address_and_id(database: Database, asker: Asker) -> None:
    log_id = asker.send_call(agent_email="ada@example.com", agent_id=7)
    payload = stored_payload(database, log_id)
    assert (payload["agent_email"], payload["agent_id"]) == ("ada@example.com", "7")


def test_entry_says_how_many_deliveries_changed_its_call(database: Database, asker: Asker) -> None:
    log_id = asker.send_call(call_id="c")
    post_webhook(asker.client, call_updated(**asker.tenant, outcome="won"))
    with database.begin() as session:
        apply_news(session, **asker.tenant, most=10)
    assert asker.get(f"sync-logs/{log_id}")["log"]["revision"] == 2
    assert asker.get("sync-logs")["logs"][0]["revision"] == 2
    with database.begin() as session:
        session.execute(delete(Call))
    assert asker.get(f"sync-logs/{log_id}")["log"]["revision"] is None


def test_same_call_id_of_another_user_is_another_call(client: FlaskClient) -> None:
    one, other = Asker(client), Asker(client)
    assert one.send_call(call_id="call_1") != other.send_call(call_id="call_1")


def test_workspace_without_a_connection_has_nobody_to_wake(
    asker: Asker, waker: WakeRecorder
) -> None:
    asker.send_call()
    assert waker.woken == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"[]", "body"),
        (b"{", "body"),
        (b"\xef\xbb\xbf{}", "type"),
        (b"\xef\xbb\xbf", "body"),
        (b'{"type": "call.ended", "data": NaN}', "data"),
        (b'{"type": "call.ended", "data": {}, "data": {}}', "data"),
        (b'{"a":' * 100_000, "body"),
        (b'{"type": "call.ended", "number": ' + b"9" * 5000 + b"}", "data"),
        (b'{"type": "call.ended", "type": "call.ended"}', "type"),
        (b'{"data": {}}', "type"),
        (b'{"type": 5}', "type"),
    ],
)
def test_body_that_is_not_our_json_is_told_why(
    client: FlaskClient, body: bytes, field: str
) -> None:
    answer = post_webhook(client, body)
    assert answer.status_code == 400
    assert [each["field"] for each in read(answer)["error"]["fields"]] == [field]


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"call_id": None}, "data.call_id"),
        ({"call_id": 5}, "data.call_id"),
        ({"call_id": ""}, "data.call_id"),
        ({"call_id": "  "}, "data.call_id"),
        ({"call_id": "a\x00b"}, "data.call_id"),
        ({"call_id": "\ud800"}, "data.call_id"),
        ({"user_id": "x" * 256}, "data.user_id"),
        ({"workspace_id": "\U0001f600" * 200}, "data.workspace_id"),
        ({"call_id": 1.5}, "data.call_id"),
        ({"user_id": True}, "data.user_id"),
        ({"workspace_id": ["ws_1"]}, "data.workspace_id"),
        ({"call_id": 1, "duration_seconds": "long"}, "data.call_id"),
    ],
)
def test_wrong_id_is_named(client: FlaskClient, data: dict[str, Any], field: str) -> None:
    answer = post_webhook(client, call_ended(**data))
    assert answer.status_code == 400
    assert [each["field"] for each in read(answer)["error"]["fields"]] == [field]


def test_what_must_be_an_object_is_told_so_without_the_name_of_a_class(client: FlaskClient) -> None:
    body = {"type": "call.ended", "data": [{"call_id": "call_1"}]}
    told = read(post_webhook(client, body))["error"]["fields"]
    assert told == [{"field": "data", "message": "must be an object"}]


def test_every_wrong_id_is_named_at_once(client: FlaskClient) -> None:
    answer = post_webhook(client, {"type": "call.ended", "data": {"call_id": 1, "direction": 2}})
    named = {each["field"] for each in read(answer)["error"]["fields"]}
    assert named == {"data.call_id", "data.user_id", "data.workspace_id"}


@pytest.mark.parametrize("name", ["call_id", "user_id", "workspace_id"])
def test_id_that_is_given_twice_is_refused_in_so_many_words(client: FlaskClient, name: str) -> None:
    body = json.dumps(call_ended()).replace('{"call_id"', f'{{"{name}": "a", "call_id"')
    fields = read(post_webhook(client, body.encode()))["error"]["fields"]
    assert [each["field"] for each in fields] == [f"data.{name}"]
    assert "more than once" in fields[0]["message"]


@pytest.mark.parametrize("name", ["call_id", "user_id", "workspace_id"])
def test_id_that_is_given_twice_alike_is_that_id(client: FlaskClient, name: str) -> None:
    event = call_ended()
    again = json.dumps({name: event["data"][name]})[1:-1]
    body = json.dumps(event).replace('{"call_id"', f'{{{again}, "call_id"')
    assert read(post_webhook(client, body.encode()))["duplicate"] is False


@pytest.mark.parametrize("path", ["/api/webhooks/call-ended/", "/api/webhooks/call-ended/?a=b"])
def test_slash_behind_the_address_loses_no_call(client: FlaskClient, path: str) -> None:
    body = json.dumps(call_ended()).encode()
    answer = client.post(path, data=body, headers=signed_headers(body))
    assert (answer.status_code, read(answer)["duplicate"]) == (202, False)


def test_warnings_are_answered_and_those_of_the_first_delivery_are_kept(asker: Asker) -> None:
    def deliver(**data: Any) -> Any:
        return read(post_webhook(asker.client, call_ended(**asker.tenant, call_id="c", **data)))

    first = deliver(duration_seconds=-1)
    second = deliver(summary={"a": 1})
    third = deliver()

    negative = {"field": "duration_seconds", "message": "is negative: it was left out"}
    assert first["warnings"] == [negative]
    assert [each["field"] for each in second["warnings"]] == ["summary"]
    assert (second["duplicate"], third["duplicate"]) == (True, True)
    assert "warnings" not in third
    assert asker.get(f"sync-logs/{first['id']}")["warnings"] == [negative]


def test_entry_of_a_call_without_a_slip_has_no_warnings(asker: Asker, database: Database) -> None:
    log_id = asker.send_call(summary="All well")
    assert asker.get(f"sync-logs/{log_id}")["warnings"] == []
    assert stored_log(database, log_id).warnings is None


def test_text_cut_inside_a_character_loses_only_that(database: Database, asker: Asker) -> None:
    log_id = asker.send_call(summary="fine \ud83d", structured_data={"a\ud800": "\x00b"})
    payload = stored_payload(database, log_id)
    assert payload["summary"] == "fine "
    assert payload["structured_data"] == {"a": "b"}


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels - 1):
        value = [value]
    return {"x": value}


def test_structured_data_is_kept_to_its_last_level(database: Database, asker: Asker) -> None:
    log_id = asker.send_call(structured_data=nested(20))
    assert stored_payload(database, log_id)["structured_data"] == nested(20)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (nested(21), json.loads(json.dumps(nested(21)).replace("[1]", "null"))),
        ({"x": 1e400, "y": [2, 1e400]}, {"x": None, "y": [2, None]}),
    ],
)
def test_of_structured_data_only_what_cannot_be_kept_is_left_out(
    asker: Asker, database: Database, value: object, kept: object
) -> None:
    event = json.dumps(call_ended(**asker.tenant, structured_data=value))
    answer = read(post_webhook(asker.client, event.replace("Infinity", "1e400").encode()))
    assert [each["field"] for each in answer["warnings"]] == ["structured_data"]
    assert stored_payload(database, answer["id"])["structured_data"] == kept


def test_largest_ids_are_stored(asker: Asker, database: Database) -> None:
    entry = stored_log(
        database,
        Asker(asker.client, "\u00e9" * 255, "\u00fc" * 255).send_call(
            call_id="\u00f1" * 255, phone_number="\U0001f600" * 3000
        ),
    )
    assert entry.call_id == "\u00f1" * 255


@pytest.mark.parametrize(
    ("data", "stored"),
    [
        ({"phone_number": "+44 20 7946 0018"}, "+442079460018"),
        ({"phone_number": "(202) 555-0123"}, "(202) 555-0123"),
        ({"phone_number": "sip:alice@example.com"}, "sip:alice@example.com"),
        ({}, None),
        ({"phone_number": "anonymous"}, None),
        (
            {"phone_number": "", "direction": "inbound", "from_number": "+12025550123"},
            "+12025550123",
        ),
        (
            {"phone_number": "Anonymous", "direction": "outbound", "to_number": "+12025550123"},
            "+12025550123",
        ),
        ({"direction": "inbound", "to_number": "+12025550100"}, None),
        ({"direction": "inbound", "from_number": "restricted"}, None),
        ({"from_number": "+12025550123"}, None),
        ({"phone_number": '"Unit 9" <+12025550123>'}, "+12025550123"),
        ({"phone_number": "912025550123"}, "912025550123"),
        ({"phone_number": "0044 20 7946 0018"}, "0044 20 7946 0018"),
        (
            {"direction": "outbound-api", "from_number": "+12025550199", "to_number": CUSTOMER},
            CUSTOMER,
        ),
        (
            {"direction": "inboundPhoneCall", "from_number": CUSTOMER, "to_number": "+12025550199"},
            CUSTOMER,
        ),
        ({"direction": "outgoing", "to_number": CUSTOMER}, CUSTOMER),
        ({"direction": "in", "from_number": CUSTOMER}, CUSTOMER),
        ({"direction": "sideways", "from_number": CUSTOMER, "to_number": "+12025550199"}, None),
    ],
)
def test_number_of_the_customer_is_stored(
    database: Database, asker: Asker, data: dict[str, Any], stored: str | None
) -> None:
    assert stored_log(database, asker.send_call(**data)).phone_number == stored


def test_other_types_are_acknowledged_and_ignored(client: FlaskClient) -> None:
    answer = post_webhook(client, {"type": "call.started", "data": 5})
    assert (answer.status_code, answer.json) == (202, {"success": True, "ignored": True})


def test_body_over_the_cap_is_refused(client: FlaskClient) -> None:
    answer = post_webhook(client, b"x" * (1024 * 1024 + 1))
    assert (answer.status_code, read(answer)["error"]["code"]) == (413, "payload_too_large")


def test_body_of_exactly_the_cap_is_accepted(asker: Asker) -> None:
    event = json.dumps(call_ended(**asker.tenant, summary=""))
    body = event.replace('"summary": ""', f'"summary": "{"x" * (1024 * 1024 - len(event))}"')
    assert len(body) == 1024 * 1024
    assert post_webhook(asker.client, body.encode()).status_code == 202


@pytest.mark.parametrize(
    ("encoding", "status"), [("gzip", 415), ("br", 415), ("identity", 202), ("", 202), (" ", 202)]
)
def test_compressed_body_is_refused(asker: Asker, encoding: str, status: int) -> None:
    body = json.dumps(call_ended(**asker.tenant)).encode()
    headers = {**signed_headers(body, secret=PLATFORM_SECRET), "Content-Encoding": encoding}
    assert asker.client.post(URL, data=body, headers=headers).status_code == status


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
    max_leaves=8,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    data=st.fixed_dictionaries(
        {}, optional={name: JSON | st.text() for name in EndedCall.model_fields}
    )
)
def test_no_body_breaks_intake(client: FlaskClient, data: dict[str, Any]) -> None:
    event = call_ended(**data)
    for name in ("call_id", "user_id", "workspace_id"):
        if len(str(event["data"][name])) % 2:
            event["data"][name] = "fine"
    assert post_webhook(client, event).status_code in {202, 400}
