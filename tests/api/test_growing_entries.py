"""What the log says of calls that grow: how far the note follows, why not, what came, retries."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update

from shared.database.engines import Database
from shared.models import Activity, ActivityUpdate, Call, SyncLog
from shared.privacy.erasure import erase_calls
from tests.api.asking import Asker, WakeRecorder, read
from tests.api.rows import add_attempt, add_connection, add_delivery, add_log, add_update
from tests.api.test_exports import export
from tests.api.test_retries import retry, retry_many
from tests.api.test_sync_logs import listed

TOLD = ("revision", "written_revision", "update", "update_error")


def told(asker: Asker, log_id: str) -> tuple[Any, ...]:
    (entry,) = asker.get("sync-logs", ids=log_id)["logs"]
    assert entry == asker.get(f"sync-logs/{log_id}")["log"]
    return tuple(entry[name] for name in TOLD)


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        (None, (2, 2, None, None)),
        ("waiting", (2, 1, "waiting", None)),
        ("failed", (2, 1, "failed", "Why.")),
        ("deleted", (2, 1, "deleted", "Why.")),
        # For a person to retry: what waits by itself has no error.
        ("held", (2, 1, "waiting", "Why.")),
    ],
)
def test_entry_says_whether_the_note_follows_the_call(
    database: Database, asker: Asker, state: str | None, shown: tuple[Any, ...]
) -> None:
    assert told(asker, add_update(database, asker, state=state, error="Why.")) == shown


def test_call_whose_contents_are_deleted_has_no_revision(database: Database, asker: Asker) -> None:
    log_id = add_update(database, asker, state=None, has_payload=False)
    assert told(asker, log_id) == (None, 2, None, None)


def test_notices_are_sentences_that_go_with_the_person(database: Database, asker: Asker) -> None:
    log_id = add_log(database, asker, status="success", notices=["Written without its owner."])
    assert asker.get(f"sync-logs/{log_id}")["log"]["notices"] == ["Written without its owner."]
    with database.begin() as session:
        erase_calls(session, [log_id])
    assert asker.get(f"sync-logs/{log_id}")["log"]["notices"] == []


def test_list_and_file_are_filtered_by_update(database: Database, asker: Asker) -> None:
    by_state = {
        state: add_update(database, asker, state=state)
        for state in (None, "waiting", "held", "failed", "deleted")
    }
    add_update(database, Asker(asker.client), state="failed")
    assert listed(asker, update="failed") == [by_state["failed"]]
    assert listed(asker, update="deleted") == [by_state["deleted"]]
    assert set(listed(asker, update="waiting")) == {by_state["waiting"], by_state["held"]}
    assert asker.get("sync-logs", update="waiting", limit=1)["total"] == 2
    assert listed(asker, update="failed", status="error") == []
    assert [row["id"] for row in export(asker, update="failed")] == [by_state["failed"]]
    answer = asker.ask("GET", "sync-logs", query_string={"update": "held"})
    assert [each["field"] for each in read(answer)["error"]["fields"]] == ["update"]


def test_deliveries_are_listed_with_the_names_of_what_they_brought(
    database: Database, asker: Asker
) -> None:
    log_id = asker.send_call(call_id="call_1", summary="Too short", direction="inbound")
    came_in = asker.get(f"sync-logs/{log_id}")["log"]["created_at"]
    asker.send_call(call_id="call_1", recording_url="https://recordings.example.com/1.wav")
    later = datetime.now(UTC) + timedelta(minutes=1)
    add_delivery(
        database,
        asker,
        log_id,
        fields=["summary"],
        received_at=later,
        withdrawn=["recording_url"],
        event="redacted",
    )
    newest, middle, first = asker.get(f"sync-logs/{log_id}")["deliveries"]
    assert newest == {
        "at": int(later.timestamp() * 1000),
        "event": "redacted",
        "fields": ["summary"],
        "withdrawn": ["recording_url"],
    }
    assert middle["fields"] == ["recording_url"]
    assert (first["event"], first["fields"]) == ("call.ended", ["direction", "summary"])
    assert first["at"] == came_in


def test_first_delivery_keeps_its_own_fields_once_others_are_merged(
    database: Database, asker: Asker
) -> None:
    log_id = asker.send_call(summary="First", outcome="completed", structured_data={"a": 1})
    with database.begin() as session:
        stamps = {"summary": [1, 0, 1], "structured_data.b": [1, 0, 1]}
        session.execute(update(Call).filter_by(log_id=log_id).values(stamps=stamps))
    (first,) = asker.get(f"sync-logs/{log_id}")["deliveries"]
    assert first["fields"] == ["outcome", "structured_data"]


def test_last_twenty_deliveries_are_listed(database: Database, asker: Asker) -> None:
    log_id = add_log(database, asker)
    for number in range(20):
        at = datetime.now(UTC) + timedelta(seconds=number)
        add_delivery(database, asker, log_id, fields=[], event=f"event_{number}", received_at=at)
    events = [each["event"] for each in asker.get(f"sync-logs/{log_id}")["deliveries"]]
    assert events == [f"event_{number}" for number in reversed(range(20))]


def test_deliveries_go_with_the_contents_of_the_call(database: Database, asker: Asker) -> None:
    log_id = add_log(database, asker)
    add_delivery(database, asker, log_id, fields=["summary"])
    with database.begin() as session:
        session.execute(delete(Call).filter_by(log_id=log_id))
    assert asker.get(f"sync-logs/{log_id}")["deliveries"] == []


def test_attempts_have_a_kind(database: Database, asker: Asker) -> None:
    log_id = add_log(database, asker, status="success", attempts=1)
    add_attempt(database, log_id, outcome="success")
    add_attempt(database, log_id, outcome="success", kind="update")
    detail = asker.get(f"sync-logs/{log_id}")
    assert [each["kind"] for each in detail["attempts"]] == ["update", "create"]
    assert detail["log"]["attempts"] == 1


def test_whoever_polls_hears_of_updates_and_deliveries(database: Database, asker: Asker) -> None:
    log_id = add_update(database, asker, state="waiting")
    paths = ("sync-logs", f"sync-logs/{log_id}")
    tags: dict[str, str] = {}

    def hear() -> list[bool]:
        """Which of the two have changed since they were asked last."""
        changed = []
        for path in paths:
            headers = asker.headers | {"If-None-Match": tags.get(path, "")}
            answer = asker.client.get(f"/api/hubspot/{path}", headers=headers)
            changed.append(answer.status_code == 200)
            tags[path] = answer.headers["ETag"]
        return changed

    hear()
    assert hear() == [False, False]
    with database.begin() as session:
        session.execute(
            update(ActivityUpdate)
            .filter_by(log_id=log_id)
            .values(state="failed", due_at=None, error="Why.")
        )
    assert hear() == [True, True]
    with database.begin() as session:
        session.execute(update(Activity).filter_by(log_id=log_id).values(written_revision=2))
        session.execute(delete(ActivityUpdate).filter_by(log_id=log_id))
    assert hear() == [True, True]
    add_delivery(database, asker, log_id, fields=["summary"])
    assert hear() == [False, True]
    with database.begin() as session:
        session.execute(update(Call).filter_by(log_id=log_id).values(revision=3))
    assert hear() == [True, True]
    assert hear() == [False, False]


def test_updates_change_no_figure_of_the_connection(database: Database, asker: Asker) -> None:
    add_connection(database, asker)
    log_id = add_log(database, asker, status="success")

    def figures() -> tuple[Any, ...]:
        points = asker.get("statistics")["points"]
        return asker.status(), [each for each in points if each["success"] or each["pending"]]

    before = figures()
    assert before[1]
    with database.begin() as session:
        session.add(
            ActivityUpdate(log_id=log_id, **asker.tenant, hub_id=1, state="failed", error="Why.")
        )
    assert figures() == before
    assert retry(asker, log_id)["requeued"] == 1
    assert figures() == before


@pytest.mark.parametrize("state", ["failed", "held"])
def test_update_that_failed_or_is_held_is_due_again(
    database: Database, asker: Asker, waker: WakeRecorder, state: str
) -> None:
    connection_id = add_connection(database, asker)
    log_id = add_update(database, asker, state=state, error="Why.")
    with database.begin() as session:
        before = session.get_one(SyncLog, log_id).updated_at
    assert retry(asker, log_id) == {"success": True, "requeued": 1, "ignored": 0}
    assert waker.woken == [connection_id]
    with database.begin() as session:
        again = session.get_one(ActivityUpdate, log_id)
        assert (again.state, again.error) == ("waiting", None)
        assert (again.failures, again.failing_since) == (0, None)
        assert again.due_at is not None
        assert again.due_at <= datetime.now(UTC)
        log = session.get_one(SyncLog, log_id)
        assert (log.status, log.next_attempt_at, log.updated_at) == ("success", None, before)
    assert retry(asker, log_id) == {"success": True, "requeued": 0, "ignored": 1}


@pytest.mark.parametrize("state", [None, "waiting", "deleted"])
def test_success_without_anything_to_retry_is_ignored(
    database: Database, asker: Asker, state: str | None
) -> None:
    log_id = add_update(database, asker, state=state)
    assert retry(asker, log_id) == {"success": True, "requeued": 0, "ignored": 1}


def test_update_of_others_or_without_contents_is_not_retried(
    database: Database, asker: Asker
) -> None:
    foreign = add_update(database, Asker(asker.client), state="failed")
    gone = add_update(database, asker, state="failed", has_payload=False)
    assert retry_many(asker, {"ids": [foreign, gone]})["ignored"] == 2


def test_filter_requeues_updates(database: Database, asker: Asker) -> None:
    for state in ("failed", "held", "waiting", "deleted", None):
        add_update(database, asker, state=state)
    add_log(database, asker, status="error")
    done = retry_many(asker, {"update": "failed"})
    assert done == {"success": True, "requeued": 1, "ignored": 0}
    assert retry_many(asker, {"update": "waiting", "status": "success"})["requeued"] == 1
    assert retry_many(asker, {"status": "error"})["requeued"] == 1


def test_filter_by_time_alone_means_whatever_can_be_retried(
    database: Database, asker: Asker
) -> None:
    for state in ("failed", "held", "waiting", None):
        add_update(database, asker, state=state)
    for status in ("error", "skipped", "pending"):
        add_log(database, asker, status=status)
    assert retry_many(asker, {"from": 0}) == {"success": True, "requeued": 4, "ignored": 0}


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ({"update": "deleted"}, "body"),
        ({"update": "held"}, "update"),
        ({"update": "failed", "status": "error"}, "body"),
        ({"update": "failed", "ids": ["hs_1"]}, "body"),
    ],
)
def test_order_of_updates_that_makes_no_sense_is_refused(
    asker: Asker, order: Any, field: str
) -> None:
    answer = asker.ask("POST", "sync-logs/retry", json=order)
    assert answer.status_code == 400
    assert [each["field"] for each in read(answer)["error"]["fields"]] == [field]
