"""The checker sees every way in which a run can have gone wrong."""

from dataclasses import replace
from typing import Any

import pytest

from faults.judging.checker import judge
from faults.judging.evidence import Evidence
from faults.judging.history import Delivery, History, SentCall
from sandbox.client import SandboxRecord

HUB = 62515
NUMBER = "+12025550123"
CALL = SentCall(
    "user_1",
    "ws_1",
    "call_1",
    HUB,
    ["101"],
    {"summary": "Hello & welcome\nGoodbye", "phone_number": "(202) 555-0123"},
    number=NUMBER,
)
ROW: dict[str, Any] = {
    "id": "hs_1",
    "user_id": "user_1",
    "workspace_id": "ws_1",
    "call_id": "call_1",
    "status": "success",
    "error_code": None,
    "error_message": None,
    "phone_number": NUMBER,
    "hub_id": HUB,
    "contact_id": "101",
    "engagement_id": "900",
    "claimed_by": None,
    "last_write_at": None,
    "attempts": 1,
}
EMPTY = Evidence({}, {}, {}, {}, {HUB: ()}, {})


def make_note(
    note_id: str = "900",
    *,
    last_line: str = "Call ID: call_1 · Ref: hs_1",
    contact_ids: tuple[str, ...] = ("101",),
    summary: str = "Hello &amp; welcome<br>Goodbye",
    archived: bool = False,
) -> SandboxRecord:
    body = f"<p>{summary}</p><p>{last_line}</p>"
    return SandboxRecord(
        note_id, {"hs_note_body": body}, 0, archived=archived, contact_ids=contact_ids
    )


def make_evidence(
    *notes: SandboxRecord, attempts: tuple[str, ...] | None = None, **changes: Any
) -> Evidence:
    row = ROW | changes
    return Evidence(
        rows={CALL.identity: row},
        attempts={row["id"]: (row["status"],) if attempts is None else attempts},
        tallies={} if row["status"] == "pending" else {("user_1", "ws_1", row["status"]): 1},
        shown={row["id"]: row},
        notes={HUB: notes},
        violations={HUB: 0},
    )


def sent(call: SentCall = CALL, *more: Delivery, log_id: str | None = "hs_1") -> History:
    history = History()
    for delivery in (Delivery(call, 202, log_id, is_duplicate=False, seconds=0.1), *more):
        history.add(delivery)
    return history


def problems(history: History, evidence: Evidence) -> str:
    return "; ".join(judge(history, evidence).problems)


def test_synced_call_with_its_note_is_right() -> None:
    verdict = judge(sent(), make_evidence(make_note()))

    assert (verdict.calls, verdict.lost, verdict.duplicated, verdict.problems) == (1, 0, 0, ())


def test_call_whose_entry_was_pruned_is_judged_by_what_it_was() -> None:
    evidence = make_evidence(make_note())
    pruned = replace(evidence, rows={}, shown={}, attempts={}, pruned=evidence.rows)
    again = Delivery(CALL, 202, "hs_1", is_duplicate=True, seconds=0.1)

    assert judge(sent(CALL, again), pruned).problems == ()
    assert "2 notes" in problems(
        sent(), replace(pruned, notes={HUB: [make_note(), make_note("901")]})
    )
    assert "without its note" in problems(sent(), replace(pruned, notes={HUB: []}))
    assert "the dashboard counts" in problems(sent(), replace(pruned, tallies={}))


def test_redelivery_that_was_taken_for_new_after_its_entry_was_pruned_is_seen() -> None:
    again = Delivery(CALL, 202, "hs_2", is_duplicate=False, seconds=0.1)
    second = make_evidence(
        make_note(), make_note("901", last_line="Call ID: call_1 · Ref: hs_2"), id="hs_2"
    )

    assert judge(sent(CALL, again), second).duplicated == 1
    found = problems(sent(CALL, again), second)
    assert "was taken for a new call 2 times" in found
    assert "was answered with ['hs_1', 'hs_2']" in found


@pytest.mark.parametrize(
    "evidence",
    [
        EMPTY,
        make_evidence(),
        make_evidence(make_note("901")),
        make_evidence(make_note(contact_ids=("102",))),
        make_evidence(make_note(contact_ids=("101", "102"))),
        make_evidence(make_note(contact_ids=())),
        make_evidence(status="pending", engagement_id=None),
        make_evidence(
            make_note(), status="skipped", engagement_id=None, error_code="not_connected"
        ),
        make_evidence(make_note(), claimed_by="a-turn"),
        make_evidence(make_note(), last_write_at="a time"),
        make_evidence(make_note(last_line="Call ID: call_1 · Ref: hs_2"), id="hs_2"),
        make_evidence(make_note(last_line="Call ID: call_2 · Ref: hs_1")),
        make_evidence(make_note(summary="What another caller said")),
        make_evidence(make_note(summary="Hello &amp; welcome")),
        make_evidence(make_note(), phone_number=None),
        make_evidence(make_note(), phone_number="(202) 555-0123"),
        make_evidence(make_note(), phone_number="+12025550199"),
        make_evidence(make_note(), error_message="x"),
        make_evidence(make_note(), hub_id=HUB + 1),
        make_evidence(make_note(archived=True)),
        make_evidence(make_note(), attempts=()),
        make_evidence(make_note(), attempts=("pending",)),
    ],
    ids=[
        "no row",
        "no note",
        "another note",
        "another contact",
        "another contact beside the right one",
        "nobody's note",
        "pending",
        "a note without success",
        "claimed",
        "marked",
        "another id than was answered",
        "the last line of another call",
        "the text of another call",
        "half of its text",
        "no number",
        "a number that is not in full",
        "another number",
        "words without a reason",
        "another account",
        "its note archived",
        "an attempt that is not shown",
        "no attempt that succeeded",
    ],
)
def test_call_that_did_not_end_as_it_must_is_lost(evidence: Evidence) -> None:
    assert judge(sent(), evidence).lost == 1


@pytest.mark.parametrize(
    ("message", "is_right"),
    [
        ("No HubSpot contact has this phone number.", True),
        ("HubSpot was not connected when this call waited.", False),
        (None, False),
    ],
)
def test_reason_is_told_in_its_own_words(message: str | None, is_right: bool) -> None:
    call = replace(CALL, endings=[("skipped", "contact_not_found")])
    evidence = make_evidence(
        status="skipped",
        error_code="contact_not_found",
        error_message=message,
        engagement_id=None,
        contact_id=None,
        phone_number="(202) 555-0123",
    )

    assert judge(sent(call), evidence).lost == (not is_right)


def test_contact_of_a_call_that_nobody_was_found_for_is_wrong() -> None:
    call = replace(CALL, endings=[("skipped", "contact_not_found")])
    evidence = make_evidence(
        status="skipped",
        error_code="contact_not_found",
        error_message="No HubSpot contact has this phone number.",
        engagement_id=None,
    )

    assert "names the contact 101" in problems(sent(call), evidence)


def test_note_that_tells_of_another_call_as_well_is_wrong() -> None:
    other = replace(CALL, call_id="call_2", data={"summary": "A secret"})
    history = sent()
    history.add(Delivery(other, 503, None, None, 0.1))
    mixed = make_note(summary="Hello &amp; welcome<br>Goodbye<br>A secret")

    assert "another call as well" in problems(history, make_evidence(mixed))
    assert problems(history, make_evidence(make_note())) == ""


def test_every_note_beyond_the_first_is_a_duplicate() -> None:
    verdict = judge(sent(), make_evidence(make_note(), make_note("901"), make_note("902")))

    assert verdict.duplicated == 2
    assert verdict.problems


def test_note_on_another_account_is_wrong() -> None:
    evidence = make_evidence(make_note())
    elsewhere = replace(evidence, notes={HUB + 1: [make_note()]})

    assert judge(sent(), elsewhere).lost == 1


def test_note_of_nobody_is_found() -> None:
    evidence = make_evidence(make_note(), make_note("901", last_line="Call ID: call_1 · Ref: hs_9"))

    assert any("never sent" in each for each in judge(sent(), evidence).problems)


def test_note_without_a_last_line_is_found() -> None:
    evidence = make_evidence(make_note(), make_note("901", last_line="Goodbye"))

    assert "without last line" in problems(sent(), evidence)


def test_note_that_was_archived_again_is_told_of() -> None:
    verdict = judge(sent(), make_evidence(make_note(), make_note("901", archived=True)))

    assert (verdict.duplicated, verdict.withdrawn, verdict.problems) == (0, 1, ())


def test_row_of_nobody_is_found() -> None:
    assert "never sent" in problems(History(), make_evidence(make_note()))


def test_row_of_a_call_that_was_only_refused_is_found() -> None:
    history = History()
    history.add(Delivery(CALL, 401, None, None, 0.1))

    assert "never acknowledged" in problems(history, make_evidence(make_note()))


def test_call_that_was_taken_for_new_twice_is_found() -> None:
    again = Delivery(CALL, 202, "hs_1", is_duplicate=False, seconds=0.1)

    assert "2 times" in problems(sent(CALL, again), make_evidence(make_note()))


def test_call_that_was_answered_with_two_ids_is_lost() -> None:
    again = Delivery(CALL, 202, "hs_2", is_duplicate=True, seconds=0.1)

    assert judge(sent(CALL, again), make_evidence(make_note())).lost == 1


def test_acknowledgement_without_an_id_is_found() -> None:
    assert "without an id" in problems(sent(log_id=None), EMPTY)


@pytest.mark.parametrize("status", [500, 502])
def test_answer_that_is_no_refusal_to_store_is_found(status: int) -> None:
    failed = Delivery(CALL, status, None, None, 0.1)

    assert str(status) in problems(sent(CALL, failed), make_evidence(make_note()))


def test_success_that_was_recorded_twice_is_found() -> None:
    evidence = make_evidence(make_note(), attempts=("success", "success"))

    assert "2 successful attempts" in problems(sent(), evidence)


def test_dashboard_that_counts_something_else_is_found() -> None:
    evidence = replace(make_evidence(make_note()), tallies={("user_1", "ws_1", "success"): 2})

    assert "dashboard counts" in problems(sent(), evidence)


def test_what_is_left_over_is_a_problem() -> None:
    evidence = replace(make_evidence(make_note()), leftovers=["a key stays for ever"])

    assert "stays for ever" in problems(sent(), evidence)


def test_innocent_call_that_was_set_aside_as_poison_is_found() -> None:
    endings = [("success", None), ("error", "poison")]
    poisoned = make_evidence(
        status="error",
        error_code="poison",
        error_message="Working on this call alone ended its worker three times.",
        engagement_id=None,
    )

    assert any("poison" in each for each in judge(sent(), poisoned).problems)
    assert judge(sent(replace(CALL, endings=endings)), poisoned).problems == ()


def test_api_that_shows_something_else_is_found() -> None:
    evidence = make_evidence(make_note())
    shown = [
        {},
        {"hs_1": ROW | {"status": "pending"}},
        {"hs_1": ROW | {"attempts": 2}},
        {"hs_1": ROW, "hs_2": ROW | {"id": "hs_2"}},
    ]

    assert all("API" in problems(sent(), replace(evidence, shown=each)) for each in shown)


def test_request_beyond_a_limit_is_found() -> None:
    evidence = replace(make_evidence(make_note()), violations={HUB: 1})

    assert any("limits" in each for each in judge(sent(), evidence).problems)


def test_call_that_was_refused_need_not_be_there() -> None:
    history = History()
    history.add(Delivery(CALL, 503, None, None, 0.1))

    verdict = judge(history, EMPTY)

    assert (verdict.calls, verdict.problems) == (0, ())
