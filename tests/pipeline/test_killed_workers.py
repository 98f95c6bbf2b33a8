"""A worker may die or freeze anywhere in a turn, and a call still has one note in the end."""

import pytest
from redis import RedisError
from sqlalchemy import text

from local.engines import Engine
from shared.queue.claims import CRASHES_ALONE_MAKING_POISON, LEASE_S
from tests.pipeline.conftest import Interrupted
from tests.pipeline.interruptions import CREATE, SEARCH, WorkerKilledError, die
from tests.pipeline.workspaces import Workspace, note_ids
from worker.maintenance.sweep import sweep
from worker.rounds.doubts import LATE_COMMIT_S
from worker.rounds.reports import RoundEnd

STEPS = [
    pytest.param(SEARCH, False, id="after the claim"),
    pytest.param(SEARCH, True, id="after the search"),
    pytest.param(CREATE, False, id="after the mark"),
    pytest.param(CREATE, True, id="after the write"),
]


@pytest.mark.parametrize(("path", "is_after"), STEPS)
def test_worker_killed_anywhere_costs_time_and_nothing_else(
    workspace: Workspace, interrupted: Interrupted, path: str, is_after: bool
) -> None:
    contact_id = workspace.add_contact()
    log_ids = [workspace.accept() for _ in range(3)]

    with pytest.raises(WorkerKilledError):
        workspace.turn(interrupted(path, die, is_after=is_after))
    assert workspace.turn() == RoundEnd.NOTHING_DUE
    workspace.finish()

    assert workspace.outcomes() == [("success", None)] * 3
    engagement_ids = [workspace.log(log_id).engagement_id for log_id in log_ids]
    assert sorted(note_ids(workspace.notes(contact_id))) == sorted(map(str, engagement_ids))


def test_worker_killed_over_a_refused_note_has_recorded_its_neighbours(
    workspace: Workspace, interrupted: Interrupted
) -> None:
    contact_id = workspace.add_contact()
    good_id, bad_id = workspace.accept(), workspace.accept(summary="a bad one")
    workspace.sandbox.add_fault("notes.batch_create", "partial", containing="a bad one")

    with pytest.raises(WorkerKilledError):
        workspace.turn(interrupted(f"/contacts/{contact_id}", die))

    assert workspace.log(good_id).status == "success"
    assert workspace.log(bad_id).status == "pending"


@pytest.mark.parametrize(("path", "limit"), [(SEARCH, 30), (CREATE, 180)])
def test_calls_of_a_killed_worker_are_taken_up_in_time(
    workspace: Workspace, interrupted: Interrupted, path: str, limit: int
) -> None:
    workspace.add_contact()
    log_id = workspace.accept()
    with pytest.raises(WorkerKilledError):
        workspace.turn(interrupted(path, die))

    for _ in range(limit // 10):
        workspace.advance(10)
        sweep(workspace.worker)
        workspace.work()

    assert workspace.log(log_id).status == "success"


def test_calls_are_held_as_long_as_the_lease_lasts(
    workspace: Workspace, interrupted: Interrupted
) -> None:
    workspace.add_contact()
    workspace.accept()
    with pytest.raises(WorkerKilledError):
        workspace.turn(interrupted(SEARCH, die))

    workspace.advance(LEASE_S - 2)
    sweep(workspace.worker)

    assert workspace.turn() == RoundEnd.NOTHING_DUE


def be_overtaken(workspace: Workspace) -> None:
    """Freeze until the claim is lost, two read-backs have missed, and another has written."""
    workspace.advance(LEASE_S + 1)
    for wait in (1, LATE_COMMIT_S, LATE_COMMIT_S):
        sweep(workspace.worker)
        workspace.work()
        workspace.advance(wait)


def test_surplus_note_of_a_worker_that_froze_before_its_write_is_archived(
    workspace: Workspace, interrupted: Interrupted
) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept()

    workspace.turn(interrupted(CREATE, lambda: be_overtaken(workspace)))

    assert workspace.log(log_id).status == "success"
    assert len(workspace.notes(contact_id)) == 2

    assert workspace.keep_house()["strays_archived"] == 1
    assert note_ids(workspace.notes(contact_id)) == [workspace.log(log_id).engagement_id]
    assert workspace.keep_house()["strays_archived"] == 0


def test_success_of_a_worker_that_lost_its_claim_still_counts(
    workspace: Workspace, interrupted: Interrupted
) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept()

    def lose_claim() -> None:
        workspace.advance(LEASE_S + 1)
        sweep(workspace.worker)
        workspace.sandbox.add_fault("associations.batch_read", "status", times=1, status=503)
        workspace.work()  # another worker takes the call up and learns nothing

    workspace.turn(interrupted(CREATE, lose_claim, is_after=True))

    log = workspace.log(log_id)
    assert log.status == "success"
    assert note_ids(workspace.notes(contact_id)) == [log.engagement_id]
    workspace.finish()
    assert len(workspace.notes(contact_id)) == 1


def test_worker_that_froze_before_its_mark_writes_nothing(
    workspace: Workspace, interrupted: Interrupted
) -> None:
    contact_id = workspace.add_contact()
    log_id = workspace.accept()

    def lose_claim() -> None:
        workspace.advance(LEASE_S + 1)
        sweep(workspace.worker)
        workspace.work()

    workspace.turn(interrupted(SEARCH, lose_claim, is_after=True))

    assert workspace.log(log_id).status == "success"
    assert len(workspace.notes(contact_id)) == 1


def test_redis_lost_in_the_middle_of_a_turn_makes_no_call_suspect(
    workspace: Workspace, interrupted: Interrupted, valkey: Engine
) -> None:
    workspace.add_contact()
    log_id = workspace.accept()

    with pytest.raises(RedisError):
        workspace.turn(interrupted(SEARCH, valkey.kill, is_after=True))
    valkey.restart()

    assert workspace.log(log_id).suspect_size is None
    assert workspace.log(log_id).claimed_by is None
    workspace.work_after(1)
    assert workspace.log(log_id).status == "success"


def test_call_that_cannot_be_rendered_ends_as_poison_and_its_neighbours_succeed(
    workspace: Workspace,
) -> None:
    workspace.add_contact()
    good_ids = [workspace.accept() for _ in range(4)]
    bad_id = workspace.accept()
    with workspace.worker.database.begin() as session:
        session.execute(
            text("UPDATE calls SET payload = '{\"summary\": 7}' WHERE log_id = :id"), {"id": bad_id}
        )

    rounds = 0
    while workspace.log(bad_id).status == "pending":
        rounds += 1
        assert rounds < 12, "it is never given up"
        try:
            while workspace.turn() == RoundEnd.WORKED:
                pass
        except (TypeError, AttributeError):
            # Let go at once: no time has to pass until the sweep finds the calls.
            sweep(workspace.worker)

    log = workspace.log(bad_id)
    assert (log.status, log.error_code) == ("error", "poison")
    assert {workspace.log(log_id).status for log_id in good_ids} == {"success"}
    assert len(workspace.notes()) == 4


def test_call_that_kills_its_worker_is_set_aside_after_three_times_alone(
    workspace: Workspace, interrupted: Interrupted
) -> None:
    workspace.add_contact()
    log_id = workspace.accept()

    for _ in range(CRASHES_ALONE_MAKING_POISON + 2):
        assert workspace.log(log_id).status == "pending"
        with pytest.raises(WorkerKilledError):
            workspace.turn(interrupted(SEARCH, die))
        workspace.advance(LEASE_S + 1)
        sweep(workspace.worker)

    assert workspace.log(log_id).error_code == "poison"
    workspace.replay(log_id)
    workspace.work()
    assert workspace.log(log_id).status == "success"
