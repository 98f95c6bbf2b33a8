"""Test calls: stored and worked on like any other, and rationed."""

from typing import Any

import pytest

from shared.database.engines import Database
from shared.models import Call, SyncLog
from tests.api.asking import Asker, WakeRecorder, read
from tests.api.quotas import let_pass
from tests.api.rows import add_connection


def send(asker: Asker, phone_number: str = "+1 (202) 555-0123") -> Any:
    answer = asker.ask("POST", "test-call", json={"phone_number": phone_number})
    assert answer.status_code == 202, answer.text
    return answer.json


def test_test_call_is_stored_like_a_webhook_and_wakes_the_worker(
    asker: Asker, database: Database, waker: WakeRecorder
) -> None:
    connection_id = add_connection(database, asker)
    sent = send(asker)
    assert sent["call_id"].startswith("test_")
    with database.begin() as session:
        entry = session.get_one(SyncLog, sent["id"])
        payload = session.get_one(Call, sent["id"]).payload
    assert (entry.status, entry.call_id, entry.phone_number) == (
        "pending",
        sent["call_id"],
        "+12025550123",
    )
    assert (entry.user_id, entry.workspace_id) == (asker.user_id, asker.workspace_id)
    assert "test call" in payload["summary"]
    assert payload["agent_name"] == "Test call"
    assert waker.woken == [connection_id]


def test_every_test_call_is_a_call_of_its_own(asker: Asker) -> None:
    assert send(asker)["id"] != send(asker)["id"]
    assert asker.get("sync-logs")["total"] == 2


def test_test_call_shows_what_its_note_would_be(asker: Asker) -> None:
    note = asker.get(f"sync-logs/{send(asker)['id']}")["note"]
    assert note["written"] is False
    assert "This is a test call" in note["html"]


def test_eleventh_test_call_in_a_minute_is_refused(asker: Asker) -> None:
    for _ in range(10):
        send(asker)
    answer = asker.ask("POST", "test-call", json={"phone_number": "+12025550123"})
    assert (answer.status_code, read(answer)["error"]["code"]) == (429, "too_many_requests")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert asker.get("sync-logs")["total"] == 10

    let_pass(asker.client, seconds=int(answer.headers["Retry-After"]))
    send(asker)


def test_quota_of_one_workspace_is_not_anothers(asker: Asker) -> None:
    neighbour = Asker(asker.client)
    for _ in range(10):
        send(neighbour)
    send(asker)


@pytest.mark.parametrize("phone_number", [None, "", 5, "1" * 251])
def test_number_is_required(asker: Asker, phone_number: object) -> None:
    answer = asker.ask("POST", "test-call", json={"phone_number": phone_number})
    assert answer.status_code == 400
    assert [each["field"] for each in read(answer)["error"]["fields"]] == ["phone_number"]
