"""Calls by the array: each stands for itself, and all of them stand behind the live ones."""

import json
import secrets
from collections.abc import Mapping
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.context.services import EXTENSION
from shared.calls.contents import read_contents
from shared.database.engines import Database
from shared.models import Call, SyncLog
from shared.reasons import Lane
from tests.api.asking import (
    NO_POSTGRES,
    USER_SECRET,
    WORKSPACE_SECRET,
    Asker,
    WakeRecorder,
    call_ended,
    post_webhook,
    read,
    signed_headers,
)
from tests.api.conftest import ClientFactory
from tests.api.rows import add_connection

MIB = 1024 * 1024


def post(asker: Asker, *events: Any, **options: Any) -> TestResponse:
    return post_webhook(asker.client, list(events), **options)


def stored(database: Database, result: dict[str, Any]) -> SyncLog:
    with database.begin() as session:
        return session.get_one(SyncLog, result["id"])


def content(database: Database, log_id: str) -> Mapping[str, Any]:
    with database.begin() as session:
        return read_contents(session, [log_id])[log_id]


def test_calls_are_stored_behind_the_live_ones_and_told_in_order(
    asker: Asker, database: Database
) -> None:
    answer = post(
        asker,
        call_ended(**asker.tenant, call_id="b", summary="second", phone_number="+12025550123"),
        call_ended(**asker.tenant, call_id="a", summary="first"),
    )

    assert answer.status_code == 202
    told = read(answer)
    ids = [result.pop("id") for result in told["results"]]
    assert told == {
        "success": True,
        "results": [
            {"call_id": "b", "duplicate": False, "updated": False},
            {"call_id": "a", "duplicate": False, "updated": False},
        ],
        "accepted": 2,
        "refused": 0,
        "new": 2,
        "updated": 0,
        "duplicates": 0,
    }
    with database.begin() as session:
        logs = [session.get_one(SyncLog, log_id) for log_id in ids]
        payloads = [session.get_one(Call, log_id).payload for log_id in ids]
    assert [(log.call_id, log.lane, log.status) for log in logs] == [
        ("b", Lane.BACKFILL, "pending"),
        ("a", Lane.BACKFILL, "pending"),
    ]
    assert (logs[0].user_id, logs[0].workspace_id) == (asker.user_id, asker.workspace_id)
    assert [log.phone_number for log in logs] == ["+12025550123", None]
    assert [payload["summary"] for payload in payloads] == ["second", "first"]


def test_call_without_the_webhook_around_it_is_the_same_call(
    asker: Asker, database: Database
) -> None:
    event = call_ended(**asker.tenant, call_id="c", summary="bare")
    (first,) = read(post(asker, event["data"]))["results"]
    (again,) = read(post(asker, event))["results"]
    assert again == {"call_id": "c", "id": first["id"], "duplicate": True, "updated": False}
    with database.begin() as session:
        assert session.get_one(Call, first["id"]).payload["summary"] == "bare"


def test_call_known_before_or_several_times_in_the_array_is_stored_once_and_grows(
    asker: Asker, database: Database
) -> None:
    live = asker.send_call(call_id="live", summary="first")
    answer = post(
        asker,
        call_ended(**asker.tenant, call_id="live", summary="second"),
        call_ended(**asker.tenant, call_id="new", summary="first"),
        call_ended(**asker.tenant, call_id="new", outcome="won"),
        call_ended(**asker.tenant, call_id="new", summary="first"),
    )

    told = read(answer)
    known, new, more, copy = told["results"]
    assert (known["id"], known["duplicate"], known["updated"]) == (live, False, True)
    assert [(each["duplicate"], each["updated"]) for each in (new, more, copy)] == [
        (False, False),
        (False, True),
        (True, False),
    ]
    assert {more["id"], copy["id"]} == {new["id"]}
    assert (told["new"], told["updated"], told["duplicates"]) == (1, 2, 1)
    assert stored(database, known).lane == Lane.LIVE
    assert content(database, new["id"]) == {
        "call_id": "new",
        "summary": "first",
        "outcome": "won",
    }


def test_wrong_call_refuses_only_itself(asker: Asker) -> None:
    answer = post(
        asker,
        call_ended(**asker.tenant, call_id="good"),
        call_ended(user_id=[], workspace_id=None, call_id="wrong", duration_seconds="long"),
        {"user_id": "user_1", "call_id": "bare", "summary": {}},
        {"type": 5, "data": {"call_id": "typeless"}},
        {"data": {"call_id": "also"}},
        "text",
        {},
    )

    assert answer.status_code == 202
    told = read(answer)
    assert (told["accepted"], told["refused"]) == (1, 6)
    refused = [
        (result["call_id"], [each["field"] for each in result["error"]["fields"]])
        for result in told["results"][1:]
    ]
    assert refused == [
        ("wrong", ["data.user_id", "data.workspace_id"]),
        ("bare", ["workspace_id"]),
        ("typeless", ["type"]),
        ("also", ["type"]),
        (None, ["body"]),
        (None, ["call_id", "user_id", "workspace_id"]),
    ]


def test_warnings_stand_in_the_result_of_their_call_and_with_its_entry(asker: Asker) -> None:
    results = read(
        post(
            asker,
            call_ended(**asker.tenant, call_id="whole", duration_seconds="long"),
            call_ended(**asker.tenant, call_id="good"),
            {**asker.tenant, "call_id": "bare", "started_at": "yesterday"},
        )
    )["results"]
    named = [[each["field"] for each in result.get("warnings", [])] for result in results]
    assert named == [["duration_seconds"], [], ["started_at"]]
    assert "warnings" not in results[1]
    entry = asker.get(f"sync-logs/{results[2]['id']}")
    assert entry["warnings"] == results[2]["warnings"]


def test_byte_order_mark_before_an_array_is_ignored(asker: Asker) -> None:
    body = b"\xef\xbb\xbf " + json.dumps([call_ended(**asker.tenant)]).encode()
    assert read(post_webhook(asker.client, body))["accepted"] == 1
    large = b"\xef\xbb\xbf" + json.dumps([call_ended(summary="x" * 900_000)] * 2).encode()
    assert read(post_webhook(asker.client, large))["accepted"] == 2


def test_call_that_is_no_json_refuses_only_itself(asker: Asker) -> None:
    good = json.dumps(call_ended(**asker.tenant))
    for bad in ("{'a': 1}", '{"a": nan}', "NaN", "", '{"a": ' + "9" * 5000 + "}"):
        answer = post_webhook(asker.client, f" [{bad},\n{good}] ".encode())
        assert answer.status_code == 202, bad
        first, second = read(answer)["results"]
        assert first["error"]["code"] == "invalid_request"
        assert second["duplicate"] is (bad != "{'a': 1}")


def test_strings_with_brackets_commas_and_quotes_do_not_end_a_call(
    asker: Asker, database: Database
) -> None:
    summary = 'he said "],[{" \\ and \\" then "}'
    answer = post(asker, *(call_ended(**asker.tenant, summary=summary) for _ in range(3)))
    results = read(answer)["results"]
    with database.begin() as session:
        payloads = [session.get_one(Call, result["id"]).payload for result in results]
    assert [payload["summary"] for payload in payloads] == [summary] * 3


def test_array_of_wrong_calls_is_refused_with_the_reason_of_each(asker: Asker) -> None:
    answer = post(asker, call_ended(call_id=1), call_ended(call_id="ours", user_id=2))
    assert answer.status_code == 400
    told = read(answer)
    assert (told["success"], told["error"]["code"]) == (False, "no_call_accepted")
    assert [
        (result["call_id"], result["error"]["fields"][0]["field"]) for result in told["results"]
    ] == [(None, "data.call_id"), ("ours", "data.user_id")]


def test_webhooks_of_other_types_are_ignored(asker: Asker) -> None:
    answer = post(asker, {"type": "call.started", "data": {"call_id": "c"}}, {"type": "other"})
    assert answer.status_code == 202
    assert read(answer)["results"] == [
        {"call_id": "c", "ignored": True},
        {"call_id": None, "ignored": True},
    ]


def test_secret_of_a_workspace_stores_its_calls_only(asker: Asker) -> None:
    own = call_ended(user_id=asker.user_id, workspace_id="ws_own")
    foreign = call_ended(user_id=asker.user_id, workspace_id="ws_other")

    mixed = post(asker, foreign, own, secret=WORKSPACE_SECRET)
    assert mixed.status_code == 202
    refused, accepted = read(mixed)["results"]
    assert refused["error"]["code"] == "wrong_workspace"
    assert accepted["duplicate"] is False

    answer = post(asker, foreign, secret=WORKSPACE_SECRET)
    assert (answer.status_code, read(answer)["error"]["code"]) == (403, "wrong_workspace")
    assert [each["error"]["code"] for each in read(answer)["results"]] == ["wrong_workspace"]


def test_secret_of_a_user_stores_that_users_calls_only(asker: Asker) -> None:
    own = call_ended(user_id="user_own", workspace_id="ws_own")
    foreign = call_ended(user_id=asker.user_id, workspace_id="ws_own")["data"]
    mixed = post(asker, foreign, own, secret=USER_SECRET)
    assert mixed.status_code == 202
    refused, accepted = read(mixed)["results"]
    assert refused["error"]["code"] == "wrong_workspace"
    assert accepted["duplicate"] is False
    assert post(asker, foreign, secret=USER_SECRET).status_code == 403


def test_array_that_is_not_signed_is_not_read(client: FlaskClient) -> None:
    body = json.dumps([call_ended()]).encode()
    headers = signed_headers(body)
    answer = client.post("/api/webhooks/call-ended", data=body + b" ", headers=headers)
    assert answer.status_code == 401


def test_each_connection_is_woken_once(
    client: FlaskClient, database: Database, waker: WakeRecorder
) -> None:
    one, other, without = (Asker(client) for _ in range(3))
    connections = [
        add_connection(database, each, hub_id=secrets.randbelow(10**9)) for each in (one, other)
    ]
    events = [call_ended(**each.tenant) for each in (one, other, without) for _ in range(3)]
    assert post(one, *events).status_code == 202
    assert sorted(waker.woken) == sorted(connections)
    post(one, *events)
    assert len(waker.woken) == len(connections)


def test_thousand_calls_are_stored_and_one_more_refuses_all(asker: Asker) -> None:
    events = [call_ended(**asker.tenant, call_id=f"call_{number}") for number in range(1001)]
    too_many = post(asker, *events)
    assert (too_many.status_code, read(too_many)["error"]["code"]) == (413, "payload_too_large")
    told = read(post(asker, *events[:1000]))
    assert (told["accepted"], told["refused"]) == (1000, 0)
    assert not any(result["duplicate"] for result in told["results"])


def test_call_over_its_own_cap_refuses_only_itself(asker: Asker) -> None:
    huge = call_ended(**asker.tenant, summary="x" * MIB)
    told = read(post(asker, huge, call_ended(**asker.tenant, call_id="small")))
    assert [result.get("error", {}).get("code") for result in told["results"]] == [
        "payload_too_large",
        None,
    ]


@pytest.mark.parametrize(("size", "status"), [(16 * MIB, 202), (16 * MIB + 1, 413)])
def test_array_is_accepted_up_to_16_mib(asker: Asker, size: int, status: int) -> None:
    body = json.dumps([call_ended(**asker.tenant)]).encode()
    body = body[:-1] + b" " * (size - len(body)) + b"]"
    assert post_webhook(asker.client, body).status_code == status


def test_second_large_array_at_a_time_is_sent_away(asker: Asker) -> None:
    large = [call_ended(**asker.tenant, summary="x" * 600_000) for _ in range(2)]
    slots = asker.client.application.extensions[EXTENSION].array_slots
    with slots.held():
        answer = post(asker, *large)
        assert (answer.status_code, read(answer)["error"]["code"]) == (503, "busy")
        assert int(answer.headers["Retry-After"]) >= 1
        assert post(asker, call_ended(**asker.tenant)).status_code == 202
        asker.send_call()
    assert post(asker, *large).status_code == 202


def test_database_that_is_away_stores_nothing_and_says_so(make_client: ClientFactory) -> None:
    answer = post_webhook(make_client(database=NO_POSTGRES), [call_ended()])
    assert answer.status_code == 503


@pytest.mark.parametrize("body", [b"[]", b"[ ]", b"[", b"[{]", b'["', b"[{}}", b"[{}] {}", b"[1}"])
def test_body_that_is_no_array_of_calls_is_refused_whole(client: FlaskClient, body: bytes) -> None:
    answer = post_webhook(client, body)
    assert answer.status_code == 400
    assert [each["field"] for each in read(answer)["error"]["fields"]] == ["body"]
