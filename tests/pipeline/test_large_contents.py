"""Contents that are large: loaded for one write after another, whatever happens between them."""

from collections.abc import Collection, Mapping
from typing import Any, Final, NoReturn

import pytest
from sqlalchemy.orm import Session

from shared.activities import composing
from shared.activities.rendering import render_blocks
from shared.calls.content import CallContent
from shared.pacing.client import OutOfBudgetError, PacedHubSpot
from shared.queue.claims import ClaimedCall, load_contents
from tests.pipeline.conftest import Interrupted
from tests.pipeline.interruptions import SEARCH
from tests.pipeline.workspaces import Workspace
from worker.maintenance.sweep import sweep
from worker.rounds import round as rounds
from worker.rounds import writing
from worker.rounds.reports import RoundEnd

SUMMARY: Final = "word " * 20_000


def no_time_left(*_: object) -> NoReturn:
    raise OutOfBudgetError


class Loads:
    """Loads contents as ever, and notes how much of them at once."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(
        self, session: Session, calls: Collection[ClaimedCall]
    ) -> dict[str, Mapping[str, Any]]:
        self.sizes.append(sum(call.payload_bytes for call in calls))
        return load_contents(session, calls)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Loads:
    loads = Loads()
    monkeypatch.setattr(writing, "load_contents", loads)
    return loads


def test_large_contents_are_loaded_for_each_write_and_written_whole(
    workspace: Workspace, loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MAX_BYTES_LOADED", 250_000)
    contact_id = workspace.add_contact()
    for number in range(5):
        workspace.accept(summary=f"Call number {number}. {SUMMARY}")
    assert workspace.turn() == RoundEnd.WORKED

    assert workspace.outcomes() == [("success", None)] * 5
    assert [size // 100_000 for size in loads.sizes] == [2, 2, 1]
    bodies = sorted(note.properties["hs_note_body"] for note in workspace.notes(contact_id))
    assert [f"Call number {number}. word" in body for number, body in enumerate(bodies)] == [
        True
    ] * 5
    assert workspace.inputs("notes.batch_create") == [2, 2, 1]
    assert len(workspace.requests("contacts.search")) == 1


def test_lone_call_brings_its_content_with_its_claim(workspace: Workspace, loads: Loads) -> None:
    workspace.add_contact()
    workspace.accept(summary="A word.")
    workspace.turn()
    assert workspace.outcomes() == [("success", None)]
    assert loads.sizes == []


def test_content_that_was_deleted_after_the_claim_ends_its_call_alone(
    workspace: Workspace, interrupted: Interrupted
) -> None:
    workspace.add_contact()
    ids = [workspace.accept(summary=SUMMARY) for _ in range(3)]
    workspace.turn(interrupted(SEARCH, lambda: workspace.delete_payload(ids[1])))
    assert workspace.outcomes() == [
        ("success", None),
        ("error", "payload_expired"),
        ("success", None),
    ]
    assert len(workspace.notes()) == 2


def test_turn_gives_its_calls_back_when_another_takes_long_to_load_its_own(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "LONGEST_WAIT_TO_LOAD_S", 0.01)
    workspace.add_contact()
    log_id = workspace.accept(summary=SUMMARY)
    with workspace.worker.loading:
        workspace.turn()
    log = workspace.log(log_id)
    assert (log.status, log.claimed_by, log.suspect_size) == ("pending", None, None)
    workspace.work_after(2)
    assert workspace.log(log_id).status == "success"


def test_call_that_takes_all_the_time_there_is_ends_as_poison_and_its_neighbour_succeeds(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be given back and taken up again for as long as its content is kept."""
    monkeypatch.setattr(rounds, "MOST_PROCESSOR_S", 0)
    workspace.add_contact()
    good_id, bad_id = (workspace.accept() for _ in range(2))

    def take_all_the_time(
        call: CallContent, *, call_id: str, log_id: str
    ) -> tuple[dict[str, str], str]:
        if log_id == bad_id:
            monkeypatch.setattr(PacedHubSpot, "_wait", no_time_left)
        return render_blocks(call, call_id=call_id, log_id=log_id)

    monkeypatch.setattr(composing, "render_blocks", take_all_the_time)
    wait = PacedHubSpot._wait
    turns = 0
    while workspace.log(bad_id).status == "pending":
        turns += 1
        assert turns < 12, "it is never given up"
        monkeypatch.setattr(PacedHubSpot, "_wait", wait)
        workspace.turn()
        sweep(workspace.worker)

    assert workspace.log(bad_id).error_code == "poison"
    assert workspace.log(good_id).status == "success"


def test_turn_that_waited_all_its_time_makes_no_call_suspect(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, interrupted: Interrupted
) -> None:
    workspace.add_contact()
    log_id = workspace.accept()
    workspace.turn(
        interrupted(
            SEARCH,
            lambda: monkeypatch.setattr(PacedHubSpot, "_wait", no_time_left),
            is_after=True,
        )
    )
    sweep(workspace.worker)
    log = workspace.log(log_id)
    assert (log.status, log.claimed_by, log.suspect_size) == ("pending", None, None)
