"""The export: every entry that matches, as cells that no spreadsheet runs."""

import csv
import io
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from api.context.services import EXPORTS_AT_ONCE, EXTENSION
from api.log import exports
from api.log.entries import LogEntry
from api.log.spreadsheets import COLUMNS, write_header, write_rows
from shared.database.engines import Database
from tests.api.asking import Asker, read
from tests.api.rows import add_log


def export(asker: Asker, **query: Any) -> list[dict[str, str]]:
    answer = asker.ask("GET", "sync-logs/export", query_string=query)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def fill(database: Database, asker: Asker, count: int) -> None:
    """Add so many calls that wait, a second apart."""
    with database.begin() as session:
        session.execute(
            text("""
                INSERT INTO hubspot_sync_logs (id, user_id, workspace_id, call_id, created_at)
                SELECT 'hs_' || md5(:user_id || n), :user_id, :workspace_id, 'call_' || n,
                       now() - make_interval(secs => n)
                FROM generate_series(1, :count) AS n
            """),
            {**asker.tenant, "count": count},
        )


def test_export_is_a_file_with_the_documented_columns(database: Database, asker: Asker) -> None:
    log_id = add_log(
        database,
        asker,
        status="error",
        phone_number="+12025550123",
        call_id="call_9",
        attempts=3,
        error_message='It said "no", twice',
    )
    answer = asker.ask("GET", "sync-logs/export")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="sync-log.csv"'
    assert answer.headers["X-Truncated"] == "false"
    assert answer.text.splitlines()[0] == ",".join(COLUMNS)
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert row.pop("created_at").endswith("Z")
    assert row.pop("updated_at").endswith("Z")
    assert row == {
        "call_id": "call_9",
        "phone_number": "'+12025550123",
        "status": "error",
        "error_code": "network_error",
        "error_message": 'It said "no", twice',
        "contact_id": "",
        "engagement_id": "",
        "attempts": "3",
        "next_attempt_at": "",
        "id": log_id,
        "revision": "1",
        "written_revision": "",
        "update": "",
        "update_error": "",
        "activity": "note",
        "source": "",
        "notices": "",
    }


def test_export_has_every_page_newest_first(database: Database, asker: Asker) -> None:
    fill(database, asker, 2 * exports.PAGE + 1)
    assert [row["call_id"] for row in export(asker)] == [
        f"call_{number}" for number in range(1, 2 * exports.PAGE + 2)
    ]


def test_filters_are_those_of_the_list(database: Database, asker: Asker) -> None:
    failed = add_log(database, asker, status="error", minutes_ago=10, phone_number="+12025550123")
    add_log(database, asker, status="error", minutes_ago=90, phone_number="+12025550199")
    add_log(database, asker, status="success")
    rows = export(asker, status="error", phone="202 555 0123")
    assert [row["id"] for row in rows] == [failed]
    assert export(asker, error_code="poison") == []


def test_nobody_exports_what_belongs_to_others(database: Database, asker: Asker) -> None:
    add_log(database, Asker(asker.client))
    assert export(asker) == []


def test_file_that_is_cut_off_says_so(
    database: Database, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "MOST_ROWS", 1000)
    fill(database, asker, 1001)
    answer = asker.ask("GET", "sync-logs/export")
    assert answer.headers["X-Truncated"] == "true"
    assert len(answer.text.splitlines()) == 1001


@pytest.mark.parametrize("start", list("=+-@\t\r\n'＝＋－＠"))
def test_cell_that_would_run_is_marked_and_can_be_read_back(start: str) -> None:
    log = LogEntry.examples()["synced"].model_copy(update={"call_id": f"{start}cmd|' /C calc'!A0"})
    (row,) = csv.reader(io.StringIO(write_rows([log]), newline=""))
    cell = row[COLUMNS.index("call_id")]
    assert cell == f"'{log.call_id}"
    assert cell.removeprefix("'") == log.call_id


def test_lists_and_sources_are_texts_in_a_cell() -> None:
    behind = LogEntry.examples()["behind"].model_copy(update={"notices": ["One.", "Two."]})
    (row,) = csv.DictReader(io.StringIO(write_header() + write_rows([behind])))
    assert (row["source"], row["notices"]) == ("generic/Reception", "One. Two.")


def test_exports_do_not_take_every_thread(asker: Asker) -> None:
    slots = asker.client.application.extensions[EXTENSION].export_slots
    held = [slots.take() for _ in range(EXPORTS_AT_ONCE)]
    answer = asker.ask("GET", "sync-logs/export")
    assert (answer.status_code, read(answer)["error"]["code"]) == (503, "busy")
    # As long as most exports take.
    assert int(answer.headers["Retry-After"]) == 30
    for each in held:
        each.give_back()
    for _ in range(5):  # each gives its slot back
        assert export(asker) == []


def test_reader_who_leaves_frees_the_slot(database: Database, asker: Asker) -> None:
    fill(database, asker, 3000)
    for _ in range(5):
        answer = asker.ask("GET", "sync-logs/export", buffered=False)
        next(iter(answer.response))
        answer.close()
    assert len(export(asker)) == 3000


def test_file_that_is_broken_off_says_so(database: Database, asker: Asker) -> None:
    fill(database, asker, 3000)
    answer = asker.ask("GET", "sync-logs/export", buffered=False)
    lines = answer.iter_encoded()
    begin = next(lines)
    rename = "ALTER TABLE {} RENAME TO {}"
    with database.begin() as session:
        session.execute(text(rename.format("hubspot_sync_logs", "away")))
    try:
        text_so_far = begin + next(lines)
        with pytest.raises(ProgrammingError):
            next(lines)
    finally:
        with database.begin() as session:
            session.execute(text(rename.format("away", "hubspot_sync_logs")))
    assert text_so_far.splitlines()[-1].startswith(b"The export broke off here")
    assert len(export(asker)) == 3000


@pytest.mark.parametrize("query", [{"status": "lost"}, {"from": "yesterday"}, {"error_code": "x"}])
def test_wrong_filters_are_refused(asker: Asker, query: dict[str, str]) -> None:
    answer = asker.ask("GET", "sync-logs/export", query_string=query)
    assert answer.status_code == 400
    assert [each["field"] for each in read(answer)["error"]["fields"]] == list(query)
