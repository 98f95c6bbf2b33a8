"""What a customer has decided of their calls holds when they are looked up, and when news comes."""

from typing import Any

import pytest

from shared.calls.intake import NewCall, store_calls
from shared.calls.rules import WAIT_FOR_MORE_S
from shared.models import ActivityUpdate
from shared.queue.updates import AFTER_WRITING_ERROR
from shared.reasons import Lane
from tests.pipeline.workspaces import PHONE, Workspace

OWN, OTHER_OWN, STRANGER = "+12025550100", "+12025550101", "+12025550188"
LINK = "https://rec.example.com/1"


def choose(workspace: Workspace, **choices: Any) -> None:
    workspace.change_settings(choices=choices)  # type: ignore[arg-type]


def tell(workspace: Workspace, call_id: str = "c", **flags: Any) -> str:
    """A delivery of a call as intake stores it; returns its log id."""
    is_end, is_final = flags.pop("is_end", True), flags.pop("is_final", False)
    withdrawn = flags.pop("withdrawn", ())
    call = NewCall(
        user_id=workspace.user_id,
        workspace_id=workspace.workspace_id,
        call_id=call_id,
        phone_number=flags.get("phone_number"),
        payload=flags,
        withdrawn=withdrawn,
        is_end=is_end,
        is_running=not is_end,
        is_final=is_final,
    )
    with workspace.worker.database.begin() as session:
        return store_calls(session, [call], lane=Lane.LIVE)[0].log_id


def state(workspace: Workspace, log_id: str) -> tuple[str, str | None]:
    log = workspace.log(log_id)
    return log.status, log.error_code


def update_of(workspace: Workspace, log_id: str) -> ActivityUpdate | None:
    with workspace.worker.database.begin() as session:
        return session.get(ActivityUpdate, log_id)


FILTERED = ("skipped", "filtered")
WRITTEN = ("success", None)
WAITS = ("pending", None)


def test_call_that_a_rule_leaves_out_is_skipped_and_hubspot_is_not_asked(
    workspace: Workspace,
) -> None:
    workspace.add_contact()
    choose(workspace, rules={"min_duration_seconds": 10})
    short = tell(workspace, phone_number=PHONE, duration_seconds=9)
    long = tell(workspace, "d", phone_number=PHONE, duration_seconds=10)
    workspace.work()
    assert state(workspace, short) == FILTERED
    assert "min_duration_seconds" in (workspace.log(short).error_message or "")
    assert state(workspace, long) == WRITTEN
    assert len(workspace.notes()) == 1


def test_news_of_what_the_rule_looks_at_judges_the_call_again(workspace: Workspace) -> None:
    workspace.add_contact()
    choose(workspace, rules={"skip_outcomes": ["voicemail"]})
    log_id = tell(workspace, phone_number=PHONE, outcome="Voicemail")
    workspace.work()
    assert state(workspace, log_id) == FILTERED
    tell(workspace, agent_name="Ada")
    workspace.work()
    assert state(workspace, log_id) == FILTERED
    assert len(workspace.attempts(log_id)) == 1
    tell(workspace, outcome="completed")
    workspace.work()
    assert state(workspace, log_id) == WRITTEN


def test_missing_fact_is_waited_for_and_makes_the_call_due_at_once(workspace: Workspace) -> None:
    workspace.add_contact()
    choose(workspace, rules={"min_duration_seconds": 10})
    log_id = tell(workspace, phone_number=PHONE)
    workspace.work()
    assert state(workspace, log_id) == WAITS
    assert "its duration" in (workspace.log(log_id).error_message or "")
    assert workspace.attempts(log_id) == []
    due_in = workspace.due_in(log_id)
    assert due_in is not None
    assert WAIT_FOR_MORE_S - 60 < due_in <= WAIT_FOR_MORE_S
    tell(workspace, duration_seconds=60)
    workspace.work()
    assert state(workspace, log_id) == WRITTEN
    assert workspace.log(log_id).error_message is None


@pytest.mark.parametrize(
    ("rules", "end"),
    [({"min_duration_seconds": 10}, WRITTEN), ({"require_summary": True}, FILTERED)],
)
def test_a_quarter_of_an_hour_after_the_end_nothing_is_waited_for(
    workspace: Workspace, rules: dict[str, Any], end: tuple[str, str | None]
) -> None:
    workspace.add_contact()
    choose(workspace, rules=rules)
    log_id = tell(workspace, phone_number=PHONE)
    workspace.work()
    workspace.work_after(WAIT_FOR_MORE_S - 60)
    assert state(workspace, log_id) == WAITS
    workspace.work_after(61)
    assert state(workspace, log_id) == end
    tell(workspace, summary="Wants a demo")
    workspace.work()
    assert state(workspace, log_id) == WRITTEN


def test_the_quarter_of_an_hour_begins_with_the_end(workspace: Workspace) -> None:
    workspace.add_contact()
    choose(workspace, write_when="complete")
    log_id = tell(workspace, phone_number=PHONE, is_end=False, outcome="ringing")
    workspace.work_after(WAIT_FOR_MORE_S)
    tell(workspace, is_end=True, outcome="completed")
    workspace.work()
    due_in = workspace.due_in(log_id)
    assert due_in is not None
    assert due_in > WAIT_FOR_MORE_S - 60
    workspace.work_after(WAIT_FOR_MORE_S + 1)
    assert state(workspace, log_id) == WRITTEN


def test_a_rule_touches_nothing_that_is_written(workspace: Workspace) -> None:
    workspace.add_contact()
    log_id = tell(workspace, phone_number=PHONE, outcome="completed")
    workspace.work()
    choose(workspace, rules={"skip_outcomes": ["voicemail"]})
    tell(workspace, outcome="voicemail")
    workspace.work()
    assert state(workspace, log_id) == WRITTEN
    assert len(workspace.notes()) == 1


def test_changed_rule_holds_for_calls_that_are_retried(workspace: Workspace) -> None:
    workspace.add_contact()
    choose(workspace, rules={"blocked_numbers": [PHONE]})
    log_id = tell(workspace, phone_number=PHONE)
    workspace.work()
    workspace.replay(log_id)
    workspace.work()
    assert state(workspace, log_id) == FILTERED
    choose(workspace, rules={})
    workspace.replay(log_id)
    workspace.work()
    assert state(workspace, log_id) == WRITTEN


@pytest.mark.parametrize("ends", [(OWN, PHONE), (PHONE, OWN)])
def test_party_that_is_not_an_own_number_is_the_customer(
    workspace: Workspace, ends: tuple[str, str]
) -> None:
    contact = workspace.add_contact()
    choose(workspace, own_numbers=[OWN, OTHER_OWN])
    log_id = tell(workspace, from_number=ends[0], to_number=ends[1])
    assert workspace.log(log_id).phone_number == PHONE
    workspace.work()
    assert state(workspace, log_id) == WRITTEN
    assert workspace.log(log_id).contact_id == contact


def test_own_number_given_as_the_customer_s_is_not_looked_up(workspace: Workspace) -> None:
    workspace.add_contact(OWN)
    choose(workspace, own_numbers=[OWN, OTHER_OWN])
    alone = tell(workspace, phone_number=OWN)
    both = tell(workspace, "d", from_number=OWN, to_number=OTHER_OWN, direction="inbound")
    withheld = tell(workspace, "e", from_number="anonymous", to_number=OWN)
    workspace.work()
    assert [state(workspace, each) for each in (alone, both)] == [FILTERED] * 2
    assert "own_numbers" in (workspace.log(both).error_message or "")
    assert state(workspace, withheld) == ("skipped", "no_phone_number")
    assert workspace.notes() == []


def test_numbers_that_come_later_are_judged_with_own_numbers(workspace: Workspace) -> None:
    workspace.add_contact()
    choose(workspace, own_numbers=[OWN])
    log_id = tell(workspace, from_number=OWN)
    workspace.work()
    assert state(workspace, log_id) == ("skipped", "no_phone_number")
    tell(workspace, from_number=OWN, to_number=PHONE, direction="outbound")
    workspace.work()
    assert state(workspace, log_id) == WRITTEN


def test_two_strangers_are_told_apart_once_one_is_an_own_number(workspace: Workspace) -> None:
    workspace.add_contact()
    choose(workspace, own_numbers=[OTHER_OWN])
    log_id = tell(workspace, from_number=OWN, to_number=PHONE)
    workspace.work()
    assert state(workspace, log_id) == ("skipped", "unknown_direction")
    choose(workspace, own_numbers=[OTHER_OWN, OWN])
    workspace.replay(log_id)
    workspace.work()
    assert state(workspace, log_id) == WRITTEN


@pytest.mark.parametrize("last", [{"recording_url": LINK}, {"is_final": True, "outcome": "busy"}])
def test_complete_call_is_written_once(workspace: Workspace, last: dict[str, Any]) -> None:
    workspace.add_contact()
    choose(workspace, write_when="complete")
    log_id = tell(workspace, phone_number=PHONE)
    workspace.work()
    assert state(workspace, log_id) == WAITS
    tell(workspace, summary="Wants a demo")
    workspace.work()
    assert state(workspace, log_id) == WAITS
    assert workspace.notes() == []
    tell(workspace, **last)
    workspace.work()
    assert state(workspace, log_id) == WRITTEN
    assert "Wants a demo" in workspace.notes()[0].body


def test_news_after_writing_is_held_and_a_withdrawal_is_not(workspace: Workspace) -> None:
    workspace.add_contact()
    choose(workspace, write_when="complete")
    log_id = tell(workspace, phone_number=PHONE, summary="Wants a demo", recording_url=LINK)
    other = tell(workspace, "d", phone_number=PHONE, summary="Wants a demo", recording_url=LINK)
    workspace.work()
    assert state(workspace, log_id) == WRITTEN
    tell(workspace, agent_name="Ada")
    tell(workspace, "d", withdrawn=("recording_url",))
    workspace.turn()
    held, waiting = update_of(workspace, log_id), update_of(workspace, other)
    assert held is not None
    assert (held.state, held.due_at, held.error) == ("held", None, AFTER_WRITING_ERROR)
    assert waiting is None or waiting.state == "waiting"


def test_two_rounds_judge_a_call_as_one_does(workspace: Workspace) -> None:
    workspace.add_contact()
    choose(workspace, rules={"require_summary": True})
    log_id = tell(workspace, phone_number=PHONE, is_final=True)
    workspace.work()
    workspace.work()
    assert state(workspace, log_id) == FILTERED
    assert len(workspace.attempts(log_id)) == 1
