"""`callsync source …` and `callsync send --vendor`: sources from a terminal."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from local.databases import PROJECT
from shared.database.engines import Database
from tests.cli.conftest import Invoke

SECRET: Final = "0123456789abcdef0123456789abcdef"
MINE: Final = ("--user", "user_1", "--workspace", "ws_1")

pytestmark = pytest.mark.usefixtures("empty_database")


def run(invoke: Invoke, *arguments: str | Path, **changes: str) -> Any:
    """What a command prints as JSON."""
    result = invoke("source", *arguments, "--json", **changes)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_add_is_idempotent_by_name(invoke: Invoke) -> None:
    first = run(invoke, "add", "vapi", *MINE, "--name", "One", "--secret", SECRET)
    assert first["added"] is True
    assert first["url"].endswith(f"/api/webhooks/vapi/{first['id']}")
    again = run(invoke, "add", "vapi", *MINE, "--name", "One", "--secret", SECRET)
    assert again == first | {"added": False}
    other = run(
        invoke, *("add", "vapi", *MINE, "--name", "One", "--options", '{"default_region": "GB"}')
    )
    assert other["options"] == {"default_region": "GB"}
    assert len(other["secrets"]) == 1
    (listed,) = run(invoke, "list", *MINE)
    assert listed["id"] == first["id"]
    assert listed["counts"]["received"] == 0
    assert SECRET not in json.dumps(listed)


def test_what_is_wrong_is_said_in_one_line(invoke: Invoke) -> None:
    for arguments in (
        ("add", "vapi"),
        ("add", "vapi", "--user", "user_1"),
        ("add", "vapi", *MINE, "--platform"),
        ("add", "vapi", *MINE, "--secret", "x"),
        ("add", "vapi", *MINE, "--secret", SECRET, "--scheme", "magic"),
        ("add", "vapi", *MINE, "--options", "[]"),
        ("add", "vapi", *MINE, "--options", '{"tenants": {"table": {"a": "u/w"}}}'),
        ("remove", "src_none", "--yes"),
        ("unassigned", "src_none"),
    ):
        result = invoke("source", *arguments)
        assert result.exit_code in {1, 2}
        assert "Traceback" not in result.output
    assert run(invoke, "list") == []


def test_a_source_is_removed(invoke: Invoke) -> None:
    added = run(invoke, "add", "vapi", *MINE)
    assert run(invoke, "remove", added["id"]) == {"removed": added["id"]}
    assert run(invoke, "list") == []


def test_replay_shows_what_is_read_and_stores_nothing(invoke: Invoke, tmp_path: Path) -> None:
    body = {
        "message": {
            "type": "end-of-call-report",
            "call": {"id": "c1", "customer": {"number": "+12025550123"}},
            "endedReason": "customer-ended-call",
        }
    }
    file = tmp_path / "body.json"
    file.write_text(json.dumps(body))
    (read,) = run(invoke, "replay", file, "--vendor", "vapi")
    assert (read["reading"], read["name"], read["call"]) == ("event", "end-of-call-report", "c1")
    assert read["facts"]["phone_number"] == "+12025550123"
    file.write_text("{")
    (read,) = run(invoke, "replay", file, "--vendor", "vapi")
    assert read["reading"] == "unreadable"
    fixtures = PROJECT / "tests/sources/fixtures/retell"
    for each in sorted(fixtures.glob("*.json"))[:3]:
        assert invoke("source", "replay", each, "--vendor", "retell").exit_code == 0


def test_samples_are_posted_to_the_users_source(
    invoke: Invoke, api_url: str, empty_database: Database
) -> None:
    run(invoke, "add", "retell", *MINE, "--secret", SECRET, PUBLIC_URL=api_url)
    result = invoke("send", "--vendor", "retell", PUBLIC_URL=api_url)
    assert result.exit_code == 0, result.output
    with empty_database.begin() as session:
        rows = session.connection().exec_driver_sql("SELECT call_id FROM hubspot_sync_logs").all()
    assert len(rows) == 1
    missing = invoke("send", "--vendor", "vapi", PUBLIC_URL=api_url)
    assert missing.exit_code == 1
    assert "callsync source add vapi" in missing.output


def test_unassigned_calls_are_listed_by_key(invoke: Invoke) -> None:
    run(invoke, "add", "vapi", "--platform", "--secret", SECRET)
    assert run(invoke, "unassigned") == []
