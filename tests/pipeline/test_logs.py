"""What the worker logs: every change of state, and nothing that belongs to people."""

import json
import logging
import re
import sys
from collections.abc import Iterator
from io import StringIO

import pytest
import structlog

from shared.telemetry.logging import configure_logging
from tests.pipeline.conftest import Interrupted
from tests.pipeline.interruptions import CREATE
from tests.pipeline.workspaces import PHONE, Workspace
from worker.maintenance.sweep import sweep

SUMMARY = "Their cat is called Mildred"
TOKEN = re.compile(r"CSandbox[\w-]+|na1-[0-9a-f]{8}|sandbox-client-secret")


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """What would stand on stdout of a worker, as JSON lines."""
    root = logging.getLogger()
    before, config = (root.handlers[:], root.level), structlog.get_config()
    lines = StringIO()
    monkeypatch.setattr(sys, "stdout", lines)
    configure_logging("debug", "json")
    yield lines
    root.handlers[:], level = before
    root.setLevel(level)
    structlog.configure(**config)


def events(lines: StringIO) -> list[str]:
    return [json.loads(line)["event"] for line in lines.getvalue().splitlines()]


def test_logs_of_an_eventful_day_name_no_token_no_phone_and_no_words(
    workspace: Workspace, lines: StringIO
) -> None:
    workspace.add_contact()
    workspace.accept(summary=SUMMARY, recording_url="https://rec.example/mildred")
    workspace.accept("+12025550199", summary=SUMMARY)
    workspace.sandbox.add_fault("notes.batch_create", "reset_after", times=1)
    workspace.sandbox.add_fault("contacts.search", "status", times=1, status=401)
    workspace.work()
    workspace.advance(3600)
    workspace.sandbox.add_fault("oauth.token", "html", times=1)
    workspace.finish()
    workspace.accept(summary=SUMMARY)
    workspace.sandbox.add_fault(
        "notes.batch_create",
        "status",
        times=1,
        status=400,
        message=f"{SUMMARY} of {PHONE} is not valid",
    )
    workspace.work()
    workspace.sandbox.revoke_grants(workspace.hub_id)
    workspace.advance(1800)
    workspace.accept(summary=SUMMARY)
    workspace.work()
    workspace.disconnect()
    workspace.keep_house()
    sweep(workspace.worker)

    text = lines.getvalue()
    assert {"turn_started", "call_recorded", "token_refreshed", "reconnect_required"} <= set(
        events(lines)
    )
    assert TOKEN.search(text) is None
    assert "2025550" not in text.replace(" ", "")
    assert "Mildred" not in text
    assert "mildred" not in text


def test_call_can_be_followed_from_its_log_id_to_its_note(
    workspace: Workspace, lines: StringIO
) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept()

    workspace.work()

    recorded = [
        line
        for line in map(json.loads, lines.getvalue().splitlines())
        if line["event"] == "call_recorded"
    ]
    (note,) = workspace.notes()
    assert [(line["log_id"], line["contact_id"], line["note_id"]) for line in recorded] == [
        (log_id, contact_id, note.id)
    ]
    assert recorded[0]["connection_id"] == workspace.connection_id
    assert recorded[0]["hub_id"] == workspace.hub_id


def test_outcome_that_came_too_late_is_not_logged_as_recorded(
    workspace: Workspace, interrupted: Interrupted, lines: StringIO
) -> None:
    workspace.add_contact()
    log_id = workspace.accept()
    workspace.sandbox.add_fault("notes.batch_create", "status", times=1, status=400)

    def lose_claim() -> None:
        workspace.advance(60)
        sweep(workspace.worker)

    workspace.turn(interrupted(CREATE, lose_claim))

    assert workspace.log(log_id).status == "pending"
    assert "outcome_dropped" in events(lines)
    assert "call_recorded" not in events(lines)
