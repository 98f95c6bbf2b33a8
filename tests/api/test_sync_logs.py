"""The sync log: entries, filters, paging by offset and by cursor, totals."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import text

from shared.database.engines import Database
from tests.api.asking import Asker, read
from tests.api.rows import add_attempt, add_connection, add_log

NEVER = "hs_" + "0" * 32


def listed(asker: Asker, **query: Any) -> list[str]:
    return [entry["id"] for entry in asker.get("sync-logs", **query)["logs"]]


def test_entry_has_the_documented_shape(database: Database, asker: Asker) -> None:
    log_id = add_log(
        database, asker, status="error", phone_number="+12025550123", attempts=3, call_id="call_9"
    )
    page = asker.get("sync-logs")
    (entry,) = page.pop("logs")
    assert page == {
        "success": True,
        "total": 1,
        "total_exact": True,
        "limit": 50,
        "offset": 0,
        "next_cursor": None,
    }
    now = datetime.now(UTC).timestamp() * 1000
    assert entry.pop("created_at") == pytest.approx(now, abs=60_000)
    assert entry.pop("updated_at") == pytest.approx(now, abs=60_000)
    assert entry == {
        "id": log_id,
        "revision": 1,
        "call_id": "call_9",
        "contact_id": None,
        "engagement_id": None,
        "status": "error",
        "error_code": "network_error",
        "error_message": "The connection broke.",
        "phone_number": "+12025550123",
        "attempts": 3,
        "next_attempt_at": None,
        "revision": 1,
        "written_revision": None,
        "update": None,
        "update_error": None,
        "activity": "note",
        "source": None,
        "notices": [],
    }


def test_newest_comes_first(database: Database, asker: Asker) -> None:
    old = add_log(database, asker, minutes_ago=2)
    new = add_log(database, asker, minutes_ago=1)
    assert listed(asker) == [new, old]


def test_filters_narrow_the_list_and_its_total(database: Database, asker: Asker) -> None:
    failed = add_log(database, asker, status="error", minutes_ago=10, call_id="call_1")
    skipped = add_log(database, asker, status="skipped", minutes_ago=20, call_id="call_12")
    synced = add_log(database, asker, status="success", minutes_ago=30)
    waiting = add_log(database, asker, minutes_ago=40)
    for status, log_id in [
        ("error", failed),
        ("skipped", skipped),
        ("success", synced),
        ("pending", waiting),
    ]:
        assert listed(asker, status=status) == [log_id]
    assert listed(asker, error_code="network_error") == [failed]
    assert listed(asker, call_id="call_1") == [failed]
    assert listed(asker, status="error", error_code="contact_not_found") == []
    assert asker.get("sync-logs", status="error")["total"] == 1


def test_span_includes_its_beginning_and_not_its_end(database: Database, asker: Asker) -> None:
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
    log_id = add_log(database, asker, created_at=moment)
    at, later = int(moment.timestamp() * 1000), int(moment.timestamp() * 1000) + 1
    assert listed(asker, **{"from": at, "to": later}) == [log_id]
    assert listed(asker, to=at) == []
    assert listed(asker, **{"from": later}) == []
    assert listed(asker, **{"from": "2026-03-01T13:00:00+01:00"}) == [log_id]
    assert listed(asker, **{"from": "2026-03-01T13:00:01+01:00"}) == []


def test_plus_sign_that_was_not_escaped_is_understood(database: Database, asker: Asker) -> None:
    log_id = add_log(
        database,
        asker,
        phone_number="+442079460018",
        created_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
    )
    answer = asker.ask("GET", "sync-logs?phone=+442079460018&from=2026-03-01T13:00:00+01:00")
    assert [entry["id"] for entry in read(answer)["logs"]] == [log_id]


@pytest.mark.parametrize(
    "spelling", ["+12025550123", "(202) 555-0123", "202.555.0123", "001 202 555 0123"]
)
def test_phone_is_found_in_any_spelling(database: Database, asker: Asker, spelling: str) -> None:
    log_id = add_log(database, asker, phone_number="+12025550123")
    add_log(database, asker, phone_number="+12025550199")
    assert listed(asker, phone=spelling) == [log_id]


@pytest.mark.parametrize("asked", ["+52 55 1234 5678", "+52 1 55 1234 5678"])
def test_phone_is_found_as_it_was_before_a_renumbering_and_after(
    database: Database, asker: Asker, asked: str
) -> None:
    stored = {
        add_log(database, asker, phone_number=number)
        for number in ("+525512345678", "+5215512345678")
    }
    assert set(listed(asker, phone=asked)) == stored


def test_phone_is_read_in_the_region_of_the_connection(database: Database, asker: Asker) -> None:
    log_id = add_log(database, asker, phone_number="+442079460018")
    assert listed(asker, phone="020 7946 0018") == []
    asker.ask("PATCH", "settings", json={"default_region": "GB"})
    assert listed(asker, phone="020 7946 0018") == [log_id]


def test_what_is_no_number_is_found_as_it_was_stored(database: Database, asker: Asker) -> None:
    log_id = add_log(database, asker, phone_number="sip:alice@example.com")
    assert listed(asker, phone="sip:alice@example.com") == [log_id]


def test_pages_by_cursor_meet_every_entry_once(database: Database, asker: Asker) -> None:
    moment = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
    ids = [add_log(database, asker, created_at=moment) for _ in range(5)]
    ids += [add_log(database, asker, created_at=moment - timedelta(microseconds=1))]
    seen: list[str] = []
    query: dict[str, Any] = {}
    while True:
        page = asker.get("sync-logs", limit=2, **query)
        seen += [entry["id"] for entry in page["logs"]]
        assert page["total"] == 6
        if page["next_cursor"] is None:
            break
        query = {"cursor": page["next_cursor"]}
        add_log(database, asker, minutes_ago=0)  # what is new does not shift the pages
        with database.begin() as session:
            session.execute(text("DELETE FROM hubspot_sync_logs WHERE created_at > '2026-06-01'"))
    assert seen == [*sorted(ids[:5], reverse=True), ids[5]]


def test_pages_by_offset(database: Database, asker: Asker) -> None:
    ids = [add_log(database, asker, minutes_ago=age) for age in range(5)]
    page = asker.get("sync-logs", limit=2, offset=3)
    assert [entry["id"] for entry in page["logs"]] == ids[3:]
    assert (page["offset"], page["limit"], page["next_cursor"]) == (3, 2, None)
    first = asker.get("sync-logs", limit=2, offset=0)
    assert listed(asker, limit=2, cursor=first["next_cursor"]) == ids[2:4]


def test_total_stops_being_exact_beyond_ten_thousand(database: Database, asker: Asker) -> None:
    with database.begin() as session:
        session.execute(
            text("""
                INSERT INTO hubspot_sync_logs (id, user_id, workspace_id, call_id)
                SELECT 'hs_' || md5(:user_id || n), :user_id, :workspace_id, n
                FROM generate_series(1, 10000) AS n"""),
            asker.tenant,
        )
    page = asker.get("sync-logs", limit=1)
    assert (page["total"], page["total_exact"]) == (10_000, True)
    add_log(database, asker)
    page = asker.get("sync-logs", limit=1)
    assert (page["total"], page["total_exact"]) == (10_000, False)


def cursor_of(plain: str) -> str:
    return base64.urlsafe_b64encode(plain.encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=done", "status"),
        ("error_code=boom", "error_code"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=ten", "limit"),
        ("limit=-1", "limit"),
        ("limit=\u0661\u0660", "limit"),
        ("offset=-1", "offset"),
        ("offset=10001", "offset"),
        ("offset=1e3", "offset"),
        ("from=yesterday", "from"),
        ("from=2026-02-30T00:00:00Z", "from"),
        ("to=999999999999999", "to"),
        ("from=2&to=1", "body"),
        ("call_id=" + "x" * 256, "call_id"),
        ("call_id=%00", "call_id"),
        ("phone=%00", "phone"),
        ("cursor=abc", "cursor"),
        ("cursor=%FF", "cursor"),
        ("cursor=" + cursor_of("1 hs_short"), "cursor"),
        ("cursor=" + cursor_of(f"999999999999999999 {NEVER}"), "cursor"),
        ("cursor=" + cursor_of(f"01 {NEVER}"), "cursor"),
        ("cursor=" + cursor_of(f"1 {NEVER}") + "&offset=0", "body"),
    ],
)
def test_bad_parameter_is_named(asker: Asker, query: str, field: str) -> None:
    answer = asker.ask("GET", f"sync-logs?{quote(query, safe='=&%')}")
    assert answer.status_code == 400
    assert [each["field"] for each in read(answer)["error"]["fields"]] == [field]


def test_empty_and_unknown_parameters_are_as_good_as_absent(
    database: Database, asker: Asker
) -> None:
    log_id = add_log(database, asker)
    assert listed(asker, status="", limit="", cursor="", utm_source="mail") == [log_id]


def test_detail_shows_attempts_and_the_contact(database: Database, asker: Asker) -> None:
    add_connection(database, asker, hub_id=62515)
    log_id = add_log(database, asker, status="success", hub_id=62515, contact_id="701")
    add_attempt(
        database,
        log_id,
        error_code="rate_limited",
        message="Slow down.",
        http_status=429,
        correlation_id="c-1",
    )
    add_attempt(database, log_id, outcome="success")
    detail = asker.get(f"sync-logs/{log_id}")

    assert detail["log"] == asker.get("sync-logs")["logs"][0]
    assert detail["contact_url"] == ("https://app-eu1.hubspot.com/contacts/62515/record/0-1/701")
    newest, oldest = detail["attempts"]
    assert newest["outcome"] == "success"
    oldest.pop("started_at")
    assert oldest == {
        "kind": "create",
        "duration_ms": 120,
        "outcome": "error",
        "error_code": "rate_limited",
        "message": "Slow down.",
        "http_status": 429,
        "correlation_id": "c-1",
    }


def test_contact_of_an_account_connected_before_is_linked_on_hubspots_own_host(
    database: Database, asker: Asker, sandbox_url: str
) -> None:
    add_connection(database, asker, hub_id=2)
    log_id = add_log(database, asker, status="success", hub_id=1, contact_id="701")
    assert asker.get(f"sync-logs/{log_id}")["contact_url"] == (
        f"{sandbox_url}/contacts/1/record/0-1/701"
    )


@pytest.mark.parametrize("log_id", [NEVER, "nonsense", "%00", "x" * 5000])
def test_entry_that_is_not_there(asker: Asker, log_id: str) -> None:
    for method, path in [("GET", f"sync-logs/{log_id}"), ("POST", f"sync-logs/{log_id}/retry")]:
        answer = asker.ask(method, path)
        assert (answer.status_code, read(answer)["error"]["code"]) == (404, "not_found")


def test_entries_on_the_screen_are_refreshed_by_their_ids(database: Database, asker: Asker) -> None:
    old, _, new = (add_log(database, asker, minutes_ago=minutes) for minutes in (3, 2, 1))
    others = add_log(database, Asker(asker.client))
    page = asker.get("sync-logs", ids=f"{old},{new},{others},{NEVER}")
    assert [entry["id"] for entry in page["logs"]] == [new, old]
    assert (page["total"], page["limit"], page["next_cursor"]) == (2, 200, None)


def test_two_hundred_entries_are_refreshed_at_once(database: Database, asker: Asker) -> None:
    log_id = add_log(database, asker)
    ids = [f"hs_{number}" for number in range(200)]
    assert listed(asker, ids=",".join([log_id, *ids[1:]])) == [log_id]
    answer = asker.ask("GET", "sync-logs", query_string={"ids": ",".join([log_id, *ids])})
    assert answer.status_code == 400
    assert read(answer)["error"]["fields"][0]["field"] == "ids"


@pytest.mark.parametrize("other", ["limit", "offset", "status", "phone", "from"])
def test_ids_stand_alone(asker: Asker, other: str) -> None:
    values = {"limit": "20", "offset": "0", "status": "error", "phone": "1", "from": "0"}
    answer = asker.ask("GET", "sync-logs", query_string={"ids": NEVER, other: values[other]})
    assert answer.status_code == 400
    assert "alone" in read(answer)["error"]["fields"][0]["message"]


def test_note_is_shown_as_it_is_written(database: Database, asker: Asker) -> None:
    log_id = asker.send_call(summary="Wants <b>a demo</b>", call_id="call_7")
    note = asker.get(f"sync-logs/{log_id}")["note"]
    assert note["written"] is False
    assert "Wants &lt;b&gt;a demo&lt;/b&gt;" in note["html"]
    assert note["html"].endswith(f"<p>Call ID: call_7 · Ref: {log_id}</p>")

    synced = add_log(database, asker, status="success")
    assert asker.get(f"sync-logs/{synced}")["note"]["written"] is True


def test_note_goes_with_the_contents_of_the_call(database: Database, asker: Asker) -> None:
    log_id = add_log(database, asker, status="success", has_payload=False)
    assert asker.get(f"sync-logs/{log_id}")["note"] is None
