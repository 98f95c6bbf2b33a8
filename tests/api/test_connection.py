"""Status, settings and disconnecting."""

import secrets
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from sandbox.client import SandboxControl
from shared.connections.accounts import remember_refused_properties
from shared.connections.lifecycle import require_reconnect
from shared.database.engines import Database
from shared.models import Connection, Revocation, SyncLog
from tests.api.asking import Asker, WakeRecorder, read
from tests.api.rows import add_connection, add_log, connection_of, pause

DISCONNECTED = {"success": True, "message": "HubSpot disconnected successfully"}


def test_status_before_anything_is_connected(asker: Asker) -> None:
    assert asker.status() == {
        "success": True,
        "connected": False,
        "state": "disconnected",
        "hubId": None,
        "tokenExpiresAt": None,
        "connectedAt": None,
        "lastSyncAt": None,
        "pausedUntil": None,
        "pauseReason": None,
        "reconnectReason": None,
        "webhookSeen": False,
        "canChange": True,
        "counts": {"pending": 0, "success": 0, "error": 0, "skipped": 0},
    }


def test_status_of_a_connection(database: Database, asker: Asker) -> None:
    add_connection(database, asker, hub_id=62515)
    status, now = asker.status(), datetime.now(UTC).timestamp() * 1000
    assert (status["connected"], status["state"], status["hubId"]) == (True, "connected", "62515")
    assert status["tokenExpiresAt"] == pytest.approx(now + 1_800_000, abs=60_000)
    assert status["connectedAt"] == pytest.approx(now, abs=60_000)


def test_revoked_connection_has_to_be_reconnected(database: Database, asker: Asker) -> None:
    connection_id = add_connection(database, asker)
    with database.begin() as session:
        session.execute(
            update(Connection).filter_by(id=connection_id).values(state="reconnect_required")
        )
    status = asker.status()
    assert (status["connected"], status["state"]) == (False, "reconnect_required")
    assert status["hubId"] == "1"


def test_status_counts_the_last_day_and_what_waits_now(database: Database, asker: Asker) -> None:
    add_log(database, asker, status="pending", minutes_ago=3 * 24 * 60)
    add_log(database, asker, status="success")
    add_log(database, asker, status="success", minutes_ago=60)
    add_log(database, asker, status="error")
    add_log(database, asker, status="skipped")
    add_log(database, asker, status="skipped", minutes_ago=25 * 60)
    status = asker.status()
    assert status["counts"] == {"pending": 1, "success": 2, "error": 1, "skipped": 1}


def test_call_synced_by_a_late_retry_is_the_last_sync(database: Database, asker: Asker) -> None:
    add_log(database, asker, status="success", updated_at=datetime(2026, 1, 1, tzinfo=UTC))
    retried_at = datetime(2026, 1, 2, tzinfo=UTC)
    add_log(database, asker, status="success", minutes_ago=600, updated_at=retried_at)
    assert asker.status()["lastSyncAt"] == retried_at.timestamp() * 1000


def test_pause_of_the_account_is_shown_until_it_is_over(database: Database, asker: Asker) -> None:
    hub_id = secrets.randbelow(10**9)
    add_connection(database, asker, hub_id=hub_id)
    pause(database, hub_id, seconds=60, reason="HubSpot's daily limit is used up.")
    status = asker.status()
    assert status["pauseReason"] == "HubSpot's daily limit is used up."
    assert status["pausedUntil"] > datetime.now(UTC).timestamp() * 1000


def test_pause_that_is_over_is_not_shown(database: Database, asker: Asker) -> None:
    hub_id = secrets.randbelow(10**9)
    add_connection(database, asker, hub_id=hub_id)
    pause(database, hub_id, seconds=-1, reason="over")
    status = asker.status()
    assert (status["pausedUntil"], status["pauseReason"]) == (None, None)


RULES: dict[str, Any] = {
    "min_duration_seconds": 0,
    "directions": ["inbound", "outbound"],
    "skip_outcomes": [],
    "blocked_numbers": [],
    "skip_lines": [],
    "require_summary": False,
}
DEFAULTS: dict[str, Any] = {
    "default_region": "US",
    "match_policy": "most_recent",
    "phone_properties": [],
    "own_numbers": [],
    "activity": "note",
    "write_when": "ended",
    "keep": {"transcript": True, "recording": True},
    "rules": RULES,
}


def test_environment_gives_the_default_settings(asker: Asker) -> None:
    assert asker.get("settings") == DEFAULTS


def test_settings_are_changed_one_by_one_and_reset_by_null(asker: Asker) -> None:
    changed = asker.ask("PATCH", "settings", json={"default_region": " gb "})
    assert changed.json == DEFAULTS | {"default_region": "GB"}
    asker.ask("PATCH", "settings", json={"match_policy": "skip"})
    assert asker.get("settings") == DEFAULTS | {"default_region": "GB", "match_policy": "skip"}
    asker.ask("PATCH", "settings", json={"default_region": None})
    assert asker.get("settings") == DEFAULTS | {"match_policy": "skip"}
    names = ["hs_whatsapp_phone_number", "direct_line"]
    asker.ask("PATCH", "settings", json={"phone_properties": names})
    assert asker.get("settings")["phone_properties"] == names
    asker.ask("PATCH", "settings", json={"phone_properties": None, "match_policy": None})
    assert asker.get("settings") == DEFAULTS


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"default_region": "XX"}, "default_region"),
        ({"default_region": 1}, "default_region"),
        ({"match_policy": "newest"}, "match_policy"),
        ({"match_polcy": "skip"}, "match_polcy"),
        ({"match_policy": "skip", "phoneProperties": []}, "phoneProperties"),
        ({"phone_properties": "fax"}, "phone_properties"),
        ({"phone_properties": {"fax": True}}, "phone_properties"),
        ({"phone_properties": [1]}, "phone_properties.0"),
        ({"phone_properties": ["fax", None]}, "phone_properties.1"),
        ({"phone_properties": ["Fax"]}, "phone_properties.0"),
        ({"phone_properties": ["direct line"]}, "phone_properties.0"),
        ({"phone_properties": ["fax\n"]}, "phone_properties.0"),
        ({"phone_properties": ["büro"]}, "phone_properties.0"),
        ({"phone_properties": [""]}, "phone_properties.0"),
        ({"phone_properties": ["a" * 101]}, "phone_properties.0"),
        ({"phone_properties": ["fax", "phone"]}, "phone_properties.1"),
        ({"phone_properties": ["mobilephone"]}, "phone_properties.0"),
        ({"phone_properties": ["hs_calculated_phone_number"]}, "phone_properties.0"),
        ({"phone_properties": ["hs_searchable_calculated_phone_number"]}, "phone_properties.0"),
        ({"phone_properties": ["fax", "fax"]}, "phone_properties"),
        ({"phone_properties": ["a", "b", "c", "d"]}, "phone_properties"),
        ({"own_numbers": "+12025550100"}, "own_numbers"),
        ({"own_numbers": ["+12025550100", "reception"]}, "own_numbers.1"),
        ({"own_numbers": ["anonymous"]}, "own_numbers.0"),
        ({"own_numbers": [""]}, "own_numbers.0"),
        ({"own_numbers": [12025550100]}, "own_numbers.0"),
        ({"own_numbers": ["+12025550100"] * 501}, "own_numbers"),
        ({"activity": "call"}, "activity"),
        ({"activity": "task"}, "activity"),
        ({"write_when": "later"}, "write_when"),
        ({"keep": []}, "keep"),
        ({"keep": {"summary": False}}, "keep.summary"),
        ({"keep": {"transcript": "no"}}, "keep.transcript"),
        ({"rules": {"min_duration": 10}}, "rules.min_duration"),
        ({"rules": {"min_duration_seconds": -1}}, "rules.min_duration_seconds"),
        ({"rules": {"min_duration_seconds": "10"}}, "rules.min_duration_seconds"),
        ({"rules": {"min_duration_seconds": 10.5}}, "rules.min_duration_seconds"),
        ({"rules": {"min_duration_seconds": True}}, "rules.min_duration_seconds"),
        ({"rules": {"min_duration_seconds": 86_401}}, "rules.min_duration_seconds"),
        ({"rules": {"directions": []}}, "rules.directions"),
        ({"rules": {"directions": ["in"]}}, "rules.directions.0"),
        ({"rules": {"directions": ["inbound", "inbound"]}}, "rules.directions"),
        ({"rules": {"skip_outcomes": ["voicemail", " "]}}, "rules.skip_outcomes.1"),
        ({"rules": {"skip_outcomes": ["a" * 101]}}, "rules.skip_outcomes.0"),
        ({"rules": {"skip_outcomes": {"voicemail": True}}}, "rules.skip_outcomes"),
        ({"rules": {"blocked_numbers": ["0"]}}, "rules.blocked_numbers.0"),
        ({"rules": {"skip_lines": ["12345678901234567890"]}}, "rules.skip_lines.0"),
        ({"rules": {"require_summary": 1}}, "rules.require_summary"),
        (
            {"rules": {"blocked_numbers": ["+12025550100"], "skip_lines": ["x"]}},
            "rules.skip_lines.0",
        ),
        ([], "body"),
    ],
)
def test_wrong_settings_are_refused(asker: Asker, change: Any, field: str) -> None:
    answer = asker.ask("PATCH", "settings", json=change)
    assert answer.status_code == 400
    assert read(answer)["error"]["fields"][0]["field"] == field


def test_refused_settings_change_nothing_and_say_what_would_be_right(asker: Asker) -> None:
    change = {"match_policy": "skip", "phone_properties": ["Direct Line"]}
    (problem,) = read(asker.ask("PATCH", "settings", json=change))["error"]["fields"]
    assert "internal name of a contact property" in problem["message"]
    unknown = read(asker.ask("PATCH", "settings", json={"match_polcy": "skip"}))["error"]
    assert unknown["fields"][0]["message"].startswith("is not known here")
    assert asker.get("settings") == DEFAULTS


def test_call_objects_are_refused_with_what_can_be_given(asker: Asker) -> None:
    (problem,) = read(asker.ask("PATCH", "settings", json={"activity": "call"}))["error"]["fields"]
    assert "cannot be written by this version yet; give note" in problem["message"]


def test_rules_and_keep_change_by_key_and_lists_as_a_whole(asker: Asker) -> None:
    asker.ask("PATCH", "settings", json={"rules": {"skip_outcomes": ["No answer", "busy"]}})
    change = {"rules": {"min_duration_seconds": 10, "skip_outcomes": ["Voicemail"]}}
    changed = asker.ask("PATCH", "settings", json=change | {"keep": {"transcript": False}})
    rules = RULES | {"min_duration_seconds": 10, "skip_outcomes": ["voicemail"]}
    keep = {"transcript": False, "recording": True}
    assert changed.json == DEFAULTS | {"rules": rules, "keep": keep}
    asker.ask("PATCH", "settings", json={"rules": {"min_duration_seconds": None}})
    assert asker.get("settings")["rules"] == RULES | {"skip_outcomes": ["voicemail"]}
    asker.ask("PATCH", "settings", json={"rules": None, "keep": {"transcript": None}})
    assert asker.get("settings") == DEFAULTS


def test_numbers_are_read_in_the_region_that_comes_with_them(asker: Asker) -> None:
    change = {
        "default_region": "GB",
        "own_numbers": ["020 7946 0123", "+44 20 7946 0123"],
        "rules": {"blocked_numbers": ["(020) 79460124"], "skip_lines": ["+12025550100"]},
    }
    changed = read(asker.ask("PATCH", "settings", json=change))
    assert changed["own_numbers"] == ["+442079460123"]
    assert changed["rules"]["blocked_numbers"] == ["+442079460124"]
    assert changed["rules"]["skip_lines"] == ["+12025550100"]


def test_calls_of_an_unknown_direction_are_looked_up_again_when_own_numbers_change(
    database: Database, asker: Asker, waker: WakeRecorder
) -> None:
    connection_id = add_connection(database, asker)
    skipped = {"status": "skipped", "error_code": "unknown_direction", "error_message": "why"}
    new = add_log(database, asker, **skipped)
    old = add_log(database, asker, minutes_ago=8 * 24 * 60, **skipped)
    other = add_log(database, asker, **skipped | {"error_code": "invalid_phone_number"})
    asker.ask("PATCH", "settings", json={"write_when": "complete"})
    assert waker.woken == []
    asker.ask("PATCH", "settings", json={"own_numbers": ["+12025550100"]})
    assert waker.woken == [connection_id]
    with database.begin() as session:
        states = [session.get_one(SyncLog, each).status for each in (new, old, other)]
    assert states == ["pending", "skipped", "skipped"]


def test_nothing_is_stored_of_who_goes_back_to_the_defaults(
    database: Database, asker: Asker
) -> None:
    asker.ask("PATCH", "settings", json={"own_numbers": ["+12025550100"], "write_when": "complete"})
    asker.ask("PATCH", "settings", json={"own_numbers": None, "write_when": None})
    assert connection_of(database, asker).choices is None


def test_property_that_hubspot_refuses_is_named_until_the_setting_changes(
    database: Database, asker: Asker
) -> None:
    hub_id = secrets.randbelow(10**9)
    add_connection(database, asker, hub_id=hub_id)
    names = ["direct_line", "fax"]
    asker.ask("PATCH", "settings", json={"phone_properties": names})
    with database.begin() as session:
        remember_refused_properties(session, hub_id, ["direct_line", "of_somebody_else"])
    settings = asker.get("settings")
    assert settings["phone_properties"] == names
    (warning,) = settings["warnings"]
    assert warning["field"] == "phone_properties"
    assert "direct_line" in warning["message"]

    changed = asker.ask("PATCH", "settings", json={"phone_properties": names})
    assert "warnings" not in read(changed)


def test_disconnecting_twice_is_as_good_as_once(database: Database, asker: Asker) -> None:
    connection_id = add_connection(database, asker, hub_id=secrets.randbelow(10**9))
    first, second = asker.ask("DELETE", "disconnect"), asker.ask("DELETE", "disconnect")
    assert (first.status_code, first.json) == (200, DISCONNECTED)
    assert (second.status_code, second.json) == (200, DISCONNECTED)
    assert asker.status()["state"] == "disconnected"
    with database.begin() as session:
        listed = session.query(Revocation).filter_by(bound_to=connection_id).count()
    assert listed == 1


def test_disconnecting_what_never_was_connected_succeeds(asker: Asker) -> None:
    assert asker.ask("DELETE", "disconnect").json == DISCONNECTED


def test_disconnecting_asks_nothing_of_hubspot(
    database: Database, asker: Asker, sandbox: SandboxControl
) -> None:
    add_connection(database, asker)
    asker.ask("DELETE", "disconnect")
    assert sandbox.requests() == []


def test_calls_that_waited_are_woken_when_the_same_account_returns(
    database: Database, asker: Asker, sandbox: SandboxControl, waker: WakeRecorder
) -> None:
    hub_id = sandbox.add_account()
    asker.visit(sandbox.approve(asker.initiate(), hub_id))
    asker.ask("DELETE", "disconnect")
    log_id = asker.send_call(phone_number="+12025550123")
    assert len(waker.woken) == 1

    asker.visit(sandbox.approve(asker.initiate(), hub_id))
    assert len(waker.woken) == 2
    with database.begin() as session:
        assert session.get_one(SyncLog, log_id).status == "pending"


def test_calls_that_waited_are_not_synced_to_another_account(
    asker: Asker, sandbox: SandboxControl
) -> None:
    asker.visit(sandbox.approve(asker.initiate(), sandbox.add_account()))
    log_id = asker.send_call(phone_number="+12025550123")
    asker.visit(sandbox.approve(asker.initiate(), sandbox.add_account()))
    entry = asker.get(f"sync-logs/{log_id}")["log"]
    assert (entry["status"], entry["error_code"]) == ("skipped", "not_connected")


def test_incoming_call_wakes_its_connection(
    database: Database, client: FlaskClient, waker: WakeRecorder
) -> None:
    asker, neighbour = Asker(client), Asker(client)
    connection_id = add_connection(database, asker)
    add_connection(database, neighbour)
    asker.send_call()
    assert waker.woken == [connection_id]


def test_reason_to_reconnect_is_told_while_it_holds(database: Database, asker: Asker) -> None:
    hub_id = secrets.randbelow(10**9)
    connection_id = add_connection(database, asker, hub_id=hub_id)
    with database.begin() as session:
        require_reconnect(session, connection_id, token_version=1, reason="The grant was revoked.")
    status = asker.status()
    assert (status["state"], status["connected"]) == ("reconnect_required", False)
    assert status["reconnectReason"] == "The grant was revoked."
    add_connection(database, asker, hub_id=hub_id)
    assert asker.status()["reconnectReason"] is None


def test_first_call_is_noticed(asker: Asker) -> None:
    asker.send_call()
    assert asker.status()["webhookSeen"] is True
    assert Asker(asker.client).status()["webhookSeen"] is False
