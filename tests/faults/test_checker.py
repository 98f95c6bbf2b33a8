"""The checker sees every way in which a run can have gone wrong."""

from dataclasses import replace
from typing import Any

import pytest

from faults.checker import Evidence, judge
from faults.history import Delivery, History, SentCall
from local.hubspot.client import SandboxRecord

HUB = 62515
CALL = SentCall("user_1", "ws_1", "call_1", HUB, ["101"], {})
ROW: dict[str, Any] = {
    "id": "hs_1",
    "call_id": "call_1",
    "status": "success",
    "error_code": None,
    "contact_id": "101",
    "engagement_id": "900",
    "claimed_by": None,
}


def make_note(note_id: str = "900", *, ref: str = "hs_1", contact_id: str = "101") -> SandboxRecord:
    body = f"<p>Hello</p><p>Call ID: call_1 · Ref: {ref}</p>"
    return SandboxRecord(
        note_id, {"hs_note_body": body}, 0, archived=False, contact_ids=(contact_id,)
    )


def make_evidence(*notes: SandboxRecord, **changes: Any) -> Evidence:
    row = ROW | changes
    return Evidence({CALL.identity: row}, {row["id"]: row}, {HUB: notes}, {HUB: 0})


def sent(call: SentCall = CALL, *, log_id: str = "hs_1") -> History:
    history = History()
    history.add(Delivery(call, 202, log_id, is_duplicate=False, seconds=0.1))
    return history


def test_synced_call_with_its_note_is_right() -> None:
    verdict = judge(sent(), make_evidence(make_note()))

    assert (verdict.calls, verdict.lost, verdict.duplicated, verdict.problems) == (1, 0, 0, ())


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence({}, {}, {HUB: ()}, {}),
        make_evidence(),
        make_evidence(make_note("901")),
        make_evidence(make_note(contact_id="102")),
        make_evidence(status="pending", engagement_id=None),
        make_evidence(
            make_note(), status="skipped", engagement_id=None, error_code="not_connected"
        ),
        make_evidence(make_note(), claimed_by="a-turn"),
        make_evidence(make_note(ref="hs_2"), id="hs_2"),
    ],
    ids=[
        "no row",
        "no note",
        "another note",
        "another contact",
        "pending",
        "a note without success",
        "claimed",
        "another id than was answered",
    ],
)
def test_call_that_did_not_end_as_it_must_is_lost(evidence: Evidence) -> None:
    assert judge(sent(), evidence).lost == 1


def test_every_note_beyond_the_first_is_a_duplicate() -> None:
    verdict = judge(sent(), make_evidence(make_note(), make_note("901"), make_note("902")))

    assert verdict.duplicated == 2
    assert verdict.problems


def test_note_on_another_account_is_wrong() -> None:
    evidence = make_evidence(make_note())
    elsewhere = replace(evidence, notes={HUB + 1: [make_note()]})

    assert judge(sent(), elsewhere).lost == 1


def test_note_of_nobody_is_found() -> None:
    evidence = make_evidence(make_note(), make_note("901", ref="hs_9"))

    assert any("never sent" in each for each in judge(sent(), evidence).problems)


def test_row_of_nobody_is_found() -> None:
    assert any("never sent" in each for each in judge(History(), make_evidence()).problems)


def test_innocent_call_that_was_set_aside_as_poison_is_found() -> None:
    endings = [("success", None), ("error", "poison")]
    poisoned = make_evidence(status="error", error_code="poison", engagement_id=None)

    assert any("poison" in each for each in judge(sent(), poisoned).problems)
    assert judge(sent(replace(CALL, endings=endings)), poisoned).problems == ()


def test_api_that_shows_something_else_is_found() -> None:
    evidence = make_evidence(make_note())
    other = replace(evidence, shown={"hs_1": ROW | {"status": "pending"}})

    assert any("API" in each for each in judge(sent(), other).problems)


def test_request_beyond_a_limit_is_found() -> None:
    evidence = replace(make_evidence(make_note()), violations={HUB: 1})

    assert any("limits" in each for each in judge(sent(), evidence).problems)


def test_call_that_was_refused_need_not_be_there() -> None:
    history = History()
    history.add(Delivery(CALL, 503, None, None, 0.1))

    verdict = judge(history, Evidence({}, {}, {HUB: ()}, {}))

    assert (verdict.calls, verdict.problems) == (0, ())
