"""Historical calls come in once, behind the live ones; bad rows are named and stop nobody."""

from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import select

from commands.backfill import ROWS_A_TRANSACTION
from commands.row_notices import MOST_NAMED
from shared.calls.contents import read_contents
from shared.database.engines import Database
from shared.models import Call, SyncLog
from shared.reasons import Lane
from tests.cli.conftest import Invoke

HEADER: Final = "call_id,user_id,workspace_id,phone_number,duration_seconds,started_at,summary\n"
GOOD: Final = "call_1,user_1,ws_1,+1 202 555 0123,180,2026-01-02T03:04:05Z,All fine\n"
OPTIONS: Final = ("--user", "user_1", "--workspace", "ws_1")


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    return tmp_path / "calls.csv"


def stored_calls(database: Database) -> dict[str, SyncLog]:
    with database.begin() as session:
        return {log.call_id: log for log in session.scalars(select(SyncLog))}


def test_row_becomes_a_call_that_waits_behind_the_live_ones(
    invoke: Invoke, empty_database: Database, csv_file: Path
) -> None:
    csv_file.write_text(HEADER + GOOD)

    result = invoke("import", csv_file)

    assert result.exit_code == 0
    assert result.stdout == "1 accepted, 0 already known, 0 rejected.\n"
    log = stored_calls(empty_database)["call_1"]
    assert (log.user_id, log.workspace_id) == ("user_1", "ws_1")
    assert (log.status, log.lane, log.phone_number) == ("pending", Lane.BACKFILL, "+12025550123")
    with empty_database.begin() as session:
        payload = session.get_one(Call, log.id).payload
    assert payload == {
        "call_id": "call_1",
        "phone_number": "+1 202 555 0123",
        "duration_seconds": 180.0,
        "started_at": "2026-01-02T03:04:05+00:00",
        "summary": "All fine",
    }


def test_importing_again_imports_nothing_twice(
    invoke: Invoke, empty_database: Database, csv_file: Path
) -> None:
    csv_file.write_text(HEADER + GOOD)
    invoke("import", csv_file)
    csv_file.write_text(HEADER + GOOD + GOOD.replace("call_1", "call_2"))

    result = invoke("import", csv_file)

    assert result.stdout == "1 accepted, 1 already known, 0 rejected.\n"
    assert stored_calls(empty_database).keys() == {"call_1", "call_2"}


def test_bad_rows_are_named_by_line_and_field_and_do_not_stop_the_others(
    invoke: Invoke, empty_database: Database, csv_file: Path
) -> None:
    csv_file.write_text(
        HEADER
        + ",user_1,ws_1,,,,no id\n"
        + 'call_2,,,,a while,yesterday,"two\nlines"\n'
        + GOOD
        + "call_3,user_1,ws_1,,,,one,too many\n"
        + GOOD.replace("call_1", "call_4")
    )

    result = invoke("import", csv_file)

    assert result.exit_code == 1
    assert result.stdout == "2 accepted, 0 already known, 3 rejected.\n"
    named = [" ".join(line.split()[:3]) for line in result.stderr.splitlines()]
    assert named == [
        "line 2: call_id",
        "line 3: user_id",
        "line 3: workspace_id",
        "line 6: row",
    ]
    assert stored_calls(empty_database).keys() == {"call_1", "call_4"}


def test_byte_order_mark_quoted_newlines_and_json_cells_are_read(
    invoke: Invoke, empty_database: Database, csv_file: Path
) -> None:
    csv_file.write_bytes(
        b"\xef\xbb\xbfcall_id,summary,structured_data,transcript\r\n"
        b'call_1,"Line one\nLine two","{""intent"": ""demo""}",'
        b'"[{""role"": ""user"", ""text"": ""Hi""}]"\r\n'
    )

    result = invoke("import", csv_file, *OPTIONS)

    assert result.exit_code == 0, result.stderr
    with empty_database.begin() as session:
        payload = session.scalars(select(Call.payload)).one()
    assert payload["summary"] == "Line one\nLine two"
    assert payload["structured_data"] == {"intent": "demo"}
    assert payload["transcript"] == [{"role": "user", "text": "Hi"}]


def test_options_name_the_user_of_rows_that_name_none(
    invoke: Invoke, empty_database: Database, csv_file: Path
) -> None:
    csv_file.write_text("call_id,user_id\ncall_1,\ncall_2,user_2\n")

    assert invoke("import", csv_file, *OPTIONS).exit_code == 0

    users = {call_id: log.user_id for call_id, log in stored_calls(empty_database).items()}
    assert users == {"call_1": "user_1", "call_2": "user_2"}


def test_bytes_that_are_not_utf_8_cost_their_row_only(
    invoke: Invoke, empty_database: Database, csv_file: Path
) -> None:
    csv_file.write_bytes(b"call_id,summary\ncall_1,caf\xe9\ncall_2,coffee\n")

    result = invoke("import", csv_file, *OPTIONS)

    assert result.exit_code == 1
    assert "line 2: summary is not UTF-8" in result.stderr
    assert stored_calls(empty_database).keys() == {"call_2"}


def test_quote_that_never_ends_is_reported_and_keeps_what_came_before(
    invoke: Invoke, empty_database: Database, csv_file: Path
) -> None:
    csv_file.write_text(HEADER + GOOD + 'call_2,user_1,ws_1,,,,"no end\n')

    result = invoke("import", csv_file)

    assert result.exit_code == 1
    assert "line 3: row is not CSV" in result.stderr
    assert stored_calls(empty_database).keys() == {"call_1"}


def test_columns_that_are_no_fields_are_named(invoke: Invoke, csv_file: Path) -> None:
    csv_file.write_text("call_id,phone_nmber\n")

    result = invoke("import", csv_file, *OPTIONS)

    assert result.exit_code == 0
    assert "no fields of a call: phone_nmber" in result.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "The file is empty"),
        ("call_id!user_id!workspace_id\n", "lacks call_id, user_id, workspace_id"),
        (",,,\n ; ;\n", "The file is empty"),
        ("call_id,Call ID\n", "names call_id more than once"),
        ("PK\x03\x04rest", "is an Excel workbook"),
        ("c\0a\0l\0l\0_\0i\0d\0", "is not UTF-8"),
        ("call_id,user_id\n", "lacks workspace_id"),
        ("call_id,user_id,workspace_id,user_id\n", "names user_id more than once"),
    ],
)
def test_header_that_cannot_be_used_is_explained_in_one_line(
    invoke: Invoke, csv_file: Path, content: str, words: str
) -> None:
    csv_file.write_text(content)

    result = invoke("import", csv_file)

    assert result.exit_code == 1
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_file_longer_than_a_transaction_comes_in_whole(
    invoke: Invoke, empty_database: Database, csv_file: Path
) -> None:
    calls = 2 * ROWS_A_TRANSACTION + 1
    rows = (GOOD.replace("call_1", f"call_{number}") for number in range(calls))
    csv_file.write_text(HEADER + "".join(rows))

    result = invoke("import", csv_file)

    assert result.stdout == f"{calls} accepted, 0 already known, 0 rejected.\n"
    assert len(stored_calls(empty_database)) == calls


@pytest.mark.parametrize(
    "content",
    [
        "call_id,summary\n,\n, \n\ncall_1,Fine\n,,,\n",
        "\n\r\n,,,\ncall_id,summary\ncall_1,Fine\n",
        "call_id,summary,,\ncall_1,Fine,,\n",
        "call_id,,summary\ncall_1,,Fine,,,,\n",
        "call_id,summary\ncall_1,Fine,,,,,\n",
        "call_id;summary;\ncall_1;Fine;\n",
        "sep=;\r\ncall_id;summary\r\ncall_1;Fine\r\n",
        "call_id\tsummary\ncall_1\tFine\n",
        "call_id|summary\ncall_1|Fine\n",
        " Call ID , Summary \n call_1 ,Fine\n",
        "callId,SUMMARY\ncall_1,Fine\n",
        '"CALL-ID", "summary"\n"call_1", "Fine"\n',
        "\r\ncall_id,summary\r\ncall_1,Fine\r\n,",
    ],
    ids=range(13),
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_leftovers_of_spreadsheets_are_nothing(
    invoke: Invoke, empty_database: Database, csv_file: Path, content: str, encoding: str
) -> None:
    csv_file.write_bytes(content.encode(encoding))

    result = invoke("import", csv_file, *OPTIONS)

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "1 accepted, 0 already known, 0 rejected.\n"
    with empty_database.begin() as session:
        payload = session.scalars(select(Call.payload)).one()
    assert payload == {"call_id": "call_1", "summary": "Fine"}


def test_lines_are_counted_from_the_top_of_the_file(invoke: Invoke, csv_file: Path) -> None:
    csv_file.write_text("\nsep=,\n,\ncall_id,summary\n,first\n")
    assert "line 5: call_id" in invoke("import", csv_file, *OPTIONS).stderr


def test_cell_in_a_column_without_a_name_refuses_its_row(
    invoke: Invoke, empty_database: Database, csv_file: Path
) -> None:
    csv_file.write_text("call_id,,summary\ncall_1,here,x\ncall_2,,x\n")

    result = invoke("import", csv_file, *OPTIONS)

    assert result.exit_code == 1
    assert "line 2: row has a cell in a column without a name" in result.stderr
    assert stored_calls(empty_database).keys() == {"call_2"}


def test_fields_that_are_left_out_are_named_by_line_summed_up_and_kept(
    invoke: Invoke, empty_database: Database, csv_file: Path
) -> None:
    csv_file.write_text(
        HEADER
        + GOOD.replace(",180,", ",a while,")
        + GOOD.replace("call_1", "call_2").replace("2026-01-02T03:04:05Z", "2026-01-02 03:04:05")
        + GOOD.replace("call_1", "call_3")
    )

    result = invoke("import", csv_file)

    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "line 2: duration_seconds is no number of seconds: it was left out",
        "line 3: started_at has no time zone: read as UTC",
    ]
    assert result.stdout.splitlines() == [
        "3 accepted, 0 already known, 0 rejected.",
        "Rows with warnings: 2.",
        "  duration_seconds is no number of seconds: it was left out (rows: 1)",
        "  started_at has no time zone: read as UTC (rows: 1)",
    ]
    logs = stored_calls(empty_database)
    assert logs["call_1"].warnings == [
        {"field": "duration_seconds", "message": "is no number of seconds: it was left out"}
    ]
    assert logs["call_3"].warnings is None


def test_slip_of_a_whole_column_is_named_some_times_and_counted(
    invoke: Invoke, empty_database: Database, csv_file: Path
) -> None:
    rows = (GOOD.replace("call_1", f"call_{n}").replace(",180,", ",?,") for n in range(100))
    csv_file.write_text(HEADER + "".join(rows))

    result = invoke("import", csv_file)

    assert len(result.stderr.splitlines()) == MOST_NAMED
    assert "(rows: 100)" in result.stdout
    assert len(stored_calls(empty_database)) == 100


@pytest.mark.parametrize("option", [(), ("--dry-run",)])
def test_rows_with_the_ids_of_another_are_told_apart_from_copies(
    invoke: Invoke, empty_database: Database, csv_file: Path, option: tuple[str, ...]
) -> None:
    csv_file.write_text(HEADER + GOOD + GOOD + GOOD.replace("fine", "different") + GOOD)

    result = invoke("import", csv_file, *option)

    assert result.exit_code == 0
    told = result.stderr.splitlines()
    assert told[0] == "line 3: the same call as in line 2, word for word"
    assert told[1].startswith(
        "line 4: has the ids of line 2, but other contents: they complete one"
    )
    assert told[2].startswith("line 5: the same call as in line 2")
    counted = "3 already known" if option else "2 already known, 1 completed"
    assert f"1 accepted, {counted}, 0 rejected." in result.stdout
    assert "Rows that stand in the file more than once: 2." in result.stdout
    assert "Rows with the ids of an earlier row, but other contents: 1." in result.stdout
    if not option:
        log = stored_calls(empty_database)["call_1"]
        with empty_database.begin() as session:
            assert read_contents(session, [log.id])[log.id]["summary"] == "All different"


def test_column_with_a_name_that_is_not_utf_8_is_told(invoke: Invoke, csv_file: Path) -> None:
    csv_file.write_bytes(b"call_id,Gr\xfc\xdfe\ncall_1,\n")
    result = invoke("import", csv_file, *OPTIONS)
    assert result.exit_code == 0
    assert "no fields of a call: Gr??e" in result.stderr


def test_postgres_that_is_away_is_one_readable_line(invoke: Invoke, csv_file: Path) -> None:
    csv_file.write_text(HEADER + GOOD)

    result = invoke("import", csv_file, DATABASE_URL="postgresql://u:hunter2@127.0.0.1:1/x")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: Postgres failed: ")
    assert len(result.stderr.splitlines()) == 1
    assert "hunter2" not in result.output
