"""The demo fails when any outcome is not the expected one."""

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import pytest
from rich.console import Console

from local.demo.cast import DemoCall
from local.demo.report import print_closing
from local.demo.verdicts import judge
from sandbox.client import SandboxRecord
from shared.reasons import Reason, Status

FOUND: Final = DemoCall("call_1", "found", "+12025550123", "Hello.", contact="Ada Lovelace")
UNKNOWN: Final = DemoCall(
    "call_2",
    "unknown",
    "+12025550199",
    "Hello.",
    status=Status.SKIPPED,
    reason=Reason.CONTACT_NOT_FOUND,
)
CONTACTS: Final = {"Ada Lovelace": "7", "Grace Hopper": "8"}
LOGS: Final[dict[str, dict[str, Any]]] = {
    "call_1": {
        "id": "hs_1",
        "status": "success",
        "error_code": None,
        "contact_id": "7",
        "engagement_id": "100",
    },
    "call_2": {
        "id": "hs_2",
        "status": "skipped",
        "error_code": "contact_not_found",
        "contact_id": None,
        "engagement_id": None,
    },
}
NOTE: Final = SandboxRecord(
    "100", {"hs_note_body": "Ref: hs_1"}, 0, archived=False, contact_ids=("7",)
)


def close(
    logs: dict[str, dict[str, Any]], notes: Sequence[SandboxRecord], surprises: Sequence[str] = ()
) -> tuple[bool, str]:
    """Judge and close; returns whether all is well, and what is printed."""
    verdicts = judge([FOUND, UNKNOWN], logs, notes, CONTACTS)
    printed = io.StringIO()
    is_well = print_closing(
        Console(file=printed, width=200),
        verdicts,
        surprises,
        webhooks=2,
        notes=len(notes),
        seconds=1,
    )
    return is_well, printed.getvalue()


def changed(call_id: str, **changes: str | None) -> dict[str, dict[str, Any]]:
    return LOGS | {call_id: LOGS[call_id] | changes}


def test_expected_outcomes_are_well() -> None:
    is_well, printed = close(LOGS, [NOTE])

    assert is_well
    assert printed == "✓ 2 webhooks, 2 calls, 1 notes, 0 lost, 0 twice, in 1 s.\n"


@pytest.mark.parametrize(
    ("logs", "notes", "words"),
    [
        (LOGS, [], "1 lost"),
        (LOGS, [NOTE, replace(NOTE, id="101")], "1 twice"),
        (LOGS, [replace(NOTE, contact_ids=("8",))], "call_1 has notes on the contacts ['8']"),
        (LOGS, [replace(NOTE, contact_ids=("7", "8"))], "call_1 has notes on the contacts"),
        (changed("call_1", engagement_id="101"), [NOTE], "another contact or note"),
        (changed("call_1", contact_id="8"), [NOTE], "another contact or note"),
        (changed("call_2", status="pending"), [NOTE], "call_2 is pending contact_not_found"),
        (changed("call_2", error_code="not_connected"), [NOTE], "call_2 is skipped not_connected"),
        ({"call_1": LOGS["call_1"]}, [NOTE], "call_2 is not in the sync log"),
        (
            LOGS,
            [NOTE, replace(NOTE, id="101", properties={"hs_note_body": "Ref: hs_2"})],
            "call_2 has 1 notes in HubSpot, not none",
        ),
        (
            LOGS,
            [NOTE, replace(NOTE, id="101", properties={"hs_note_body": "Hello"})],
            "1 belong to no call",
        ),
    ],
)
def test_anything_else_is_named_and_not_well(
    logs: dict[str, dict[str, Any]], notes: list[SandboxRecord], words: str
) -> None:
    is_well, printed = close(logs, notes)

    assert not is_well
    assert words in printed


def test_surprise_on_the_way_is_not_well() -> None:
    is_well, printed = close(LOGS, [NOTE], ["no token was refreshed"])

    assert not is_well
    assert "✗ no token was refreshed" in printed


def test_note_that_was_not_completed_is_a_fault() -> None:
    call = replace(FOUND, grows=True)
    logs = {"call_1": LOGS["call_1"]}
    for note, faults in (
        (NOTE, ("its note was not completed with what came later",)),
        (replace(NOTE, properties={"hs_note_body": "Hello. Ref: hs_1"}), ()),
    ):
        (verdict,) = judge([call], logs, [note], CONTACTS)
        assert verdict.faults == faults
