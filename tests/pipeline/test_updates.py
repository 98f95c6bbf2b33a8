"""An activity follows its call: completed as the call grows, without losing what people wrote."""

import pytest
from sqlalchemy import select, update

from shared.activities.destination import ActivityKind
from shared.activities.hubspot import TYPES
from shared.models import Activity, ActivityUpdate, Call, SyncLog
from shared.queue.updates import DOUBT_S, MOST_UPDATES, UPDATE_SETTLE_S
from tests.pipeline.conftest import Interrupted
from tests.pipeline.interruptions import WorkerKilledError
from tests.pipeline.test_growing_calls import tell
from tests.pipeline.test_sweep import woken
from tests.pipeline.workspaces import Workspace
from worker.maintenance.sweep import sweep

pytestmark = pytest.mark.parametrize("activity", ActivityKind)

READ = "/crm/objects/2026-09/notes/batch/read"
UPDATE = "/crm/objects/2026-09/notes/batch/update"


@pytest.fixture
def log_id(workspace: Workspace) -> str:
    """A call that was written, and of which more is known now."""
    workspace.add_contact()
    log_id = workspace.accept(call_id="c", agent_name="Ada")
    workspace.work()
    tell(workspace, summary="Wants a demo")
    workspace.work()
    return log_id


def settle(workspace: Workspace, seconds: float = UPDATE_SETTLE_S + 1) -> None:
    """Let the updates that are due within some seconds happen."""
    workspace.advance(seconds)
    sweep(workspace.worker)
    workspace.work()


def waiting(workspace: Workspace, log_id: str) -> ActivityUpdate | None:
    with workspace.worker.database.begin() as session:
        return session.get(ActivityUpdate, log_id)


def state(workspace: Workspace, log_id: str) -> str | None:
    found = waiting(workspace, log_id)
    return None if found is None else found.state


def body(workspace: Workspace) -> str:
    (note,) = workspace.notes()
    return note.body


def edit(workspace: Workspace, text: str) -> None:
    (note,) = workspace.notes()
    kind = TYPES[workspace.activity]
    workspace.sandbox.edit(kind.name, workspace.hub_id, note.id, **{kind.body: text})


def lost(workspace: Workspace) -> int:
    return len(workspace.sandbox.lost_edits(workspace.hub_id))


def test_late_summary_reaches_the_same_note(workspace: Workspace, log_id: str) -> None:
    assert state(workspace, log_id) == "waiting"
    assert "Wants a demo" not in body(workspace)
    settle(workspace)
    assert body(workspace).count("Wants a demo") == 1
    assert body(workspace).endswith(f"Call ID: c · Ref: {log_id}</p>")
    assert state(workspace, log_id) is None
    log = workspace.log(log_id)
    assert log.status == "success"
    with workspace.worker.database.begin() as session:
        written = session.get_one(Activity, log_id)
        assert (written.written_revision, written.updates) == (2, 1)
        assert session.get_one(Call, log_id).revision == 2


def test_many_calls_are_updated_by_two_requests(workspace: Workspace) -> None:
    workspace.add_contact()
    for number in range(30):
        workspace.accept(call_id=f"c{number}", agent_name="Ada")
    workspace.work()
    for number in range(30):
        tell(workspace, call_id=f"c{number}", summary=f"Demo {number}")
    workspace.work()
    settle(workspace)
    assert workspace.inputs("notes.batch_update") == [30]
    assert sorted(
        each.body.partition("Demo ")[2].partition("<")[0] for each in workspace.notes()
    ) == (sorted(str(number) for number in range(30)))


@pytest.mark.parametrize("is_normalised", [False, True])
def test_body_that_hubspot_writes_otherwise_counts_as_ours(
    workspace: Workspace, is_normalised: bool
) -> None:
    workspace.sandbox.set_behaviour(normalises_html=is_normalised)
    workspace.add_contact()
    log_id = workspace.accept(call_id="c", agent_name="Ada")
    workspace.work()
    for text in ("First", "Second"):
        tell(workspace, summary=text)
        workspace.work()
        settle(workspace, 700)
    assert "Second" in body(workspace)
    assert "First" not in body(workspace)
    assert body(workspace).count("Ada") == 1
    assert state(workspace, log_id) is None


@pytest.mark.usefixtures("log_id")
def test_what_a_person_wrote_stays_and_the_summary_is_added(workspace: Workspace) -> None:
    edit(workspace, body(workspace).replace("<p>", "<p>Call her back! ", 1))
    settle(workspace)
    assert "Call her back!" in body(workspace)
    assert body(workspace).index("Wants a demo") < body(workspace).index("Call ID:")
    assert lost(workspace) == 0
    tell(workspace, outcome="won")
    workspace.work()
    settle(workspace, 700)
    assert "Call her back!" in body(workspace)
    assert body(workspace).count("Wants a demo") == 1
    assert "Outcome: won" in body(workspace)


def test_what_a_person_writes_between_reading_and_sending_is_the_only_thing_at_risk(
    workspace: Workspace, log_id: str, interrupted: Interrupted
) -> None:
    worker = interrupted(READ, lambda: edit(workspace, "<p>Saved before the reading</p>"))
    workspace.advance(UPDATE_SETTLE_S + 1)
    workspace.work(worker)
    assert "Saved before the reading" in body(workspace)
    assert "Wants a demo" in body(workspace)
    assert state(workspace, log_id) is None


def test_deleted_note_is_respected_and_asked_for_again_at_the_next_news(
    workspace: Workspace, log_id: str
) -> None:
    (note,) = workspace.notes()
    workspace.sandbox.delete(TYPES[workspace.activity].name, workspace.hub_id, note.id)
    settle(workspace)
    assert state(workspace, log_id) == "deleted"
    assert workspace.notes() == []
    workspace.sandbox.restore(TYPES[workspace.activity].name, workspace.hub_id, note.id)
    settle(workspace, 700)
    assert "Wants a demo" not in body(workspace)
    tell(workspace, outcome="won")
    workspace.work()
    settle(workspace, 700)
    assert "Wants a demo" in body(workspace)
    assert state(workspace, log_id) is None


@pytest.mark.parametrize("kind", ["reset_after", "reset_before"])
def test_lost_answer_is_settled_by_reading_and_nothing_is_sent_before(
    workspace: Workspace, log_id: str, kind: str
) -> None:
    workspace.sandbox.add_fault("notes.batch_update", kind, times=1)
    settle(workspace)
    found = waiting(workspace, log_id)
    assert found is not None
    if kind != "reset_before":
        assert found.last_write_at is not None
        settle(workspace, DOUBT_S - 20)
        assert len(workspace.requests("notes.batch_update")) == 1
    settle(workspace, DOUBT_S)
    assert state(workspace, log_id) is None
    assert body(workspace).count("Wants a demo") == 1


def test_worker_that_dies_after_sending_leaves_an_update_that_is_read_first(
    workspace: Workspace, log_id: str, interrupted: Interrupted
) -> None:
    def die() -> None:
        raise WorkerKilledError

    worker = interrupted(UPDATE, die, is_after=True)
    workspace.advance(UPDATE_SETTLE_S + 1)
    with pytest.raises(WorkerKilledError):
        workspace.work(worker)
    workspace.advance(30)
    sweep(workspace.worker)
    workspace.work()
    assert len(workspace.requests("notes.batch_update")) == 1
    settle(workspace, DOUBT_S)
    assert state(workspace, log_id) is None
    assert len(workspace.requests("notes.batch_update")) == 1


def test_update_that_ends_its_worker_each_time_is_given_up_alone(
    workspace: Workspace, log_id: str, interrupted: Interrupted
) -> None:
    def die() -> None:
        raise WorkerKilledError

    for _ in range(4):
        worker = interrupted(READ, die)
        workspace.advance(UPDATE_SETTLE_S + 1)
        with pytest.raises(WorkerKilledError):
            workspace.work(worker)
        workspace.advance(30)
        sweep(workspace.worker)
    found = waiting(workspace, log_id)
    assert found is not None
    assert found.state == "failed"
    assert "three times" in (found.error or "")
    assert workspace.log(log_id).status == "success"


def test_news_that_comes_while_an_update_is_sent_is_written_by_the_next(
    workspace: Workspace, log_id: str, interrupted: Interrupted
) -> None:
    worker = interrupted(UPDATE, lambda: tell(workspace, outcome="won"))
    workspace.advance(UPDATE_SETTLE_S + 1)
    workspace.work(worker)
    assert "Outcome" not in body(workspace)
    workspace.work()
    settle(workspace, 700)
    assert "Outcome: won" in body(workspace)
    assert state(workspace, log_id) is None


def test_updates_wait_for_their_account_and_no_other_gets_them(
    workspace: Workspace, log_id: str
) -> None:
    workspace.disconnect()
    settle(workspace)
    assert state(workspace, log_id) == "waiting"
    first = workspace.hub_id
    workspace.connect(workspace.sandbox.add_account(first + 1, ui_domain=""))
    settle(workspace)
    found = waiting(workspace, log_id)
    assert found is not None
    assert found.state == "failed"
    assert "another HubSpot account" in (found.error or "")
    assert workspace.requests("notes.batch_update") == []


@pytest.mark.usefixtures("log_id")
def test_updates_go_on_when_the_same_account_is_connected_again(workspace: Workspace) -> None:
    workspace.disconnect()
    settle(workspace)
    workspace.connect()
    settle(workspace)
    assert "Wants a demo" in body(workspace)


def test_updates_without_a_connection_end_after_a_week(workspace: Workspace, log_id: str) -> None:
    workspace.disconnect()
    settle(workspace, 7 * 86_400 + 60)
    found = waiting(workspace, log_id)
    assert found is not None
    assert found.state == "failed"
    assert "7" in (found.error or "")


def test_content_that_is_gone_is_never_sent(workspace: Workspace, log_id: str) -> None:
    workspace.delete_payload(log_id)
    settle(workspace)
    assert workspace.requests("notes.batch_update") == []


def test_adopted_note_is_compared_once(workspace: Workspace) -> None:
    workspace.add_contact()
    workspace.sandbox.add_fault("notes.batch_create", "reset_after", times=1)
    log_id = workspace.accept(call_id="c", agent_name="Ada")
    workspace.work()
    workspace.finish()
    assert workspace.log(log_id).status == "success"
    assert state(workspace, log_id) is None
    assert workspace.requests("notes.batch_update") == []
    with workspace.worker.database.begin() as session:
        assert session.get_one(Activity, log_id).footprint is not None


def test_call_is_updated_only_so_often_by_itself(workspace: Workspace, log_id: str) -> None:
    settle(workspace)
    with workspace.worker.database.begin() as session:
        session.execute(update(Activity).values(updates=MOST_UPDATES))
    tell(workspace, outcome="won")
    workspace.work()
    settle(workspace, 700)
    assert state(workspace, log_id) == "held"
    assert "Outcome" not in body(workspace)


def test_withdrawn_recording_leaves_the_note(workspace: Workspace) -> None:
    workspace.add_contact()
    link = "https://rec.example.com/1.mp3"
    log_id = workspace.accept(call_id="c", agent_name="Ada", recording_url=link)
    workspace.work()
    edit(workspace, body(workspace) + "<p>Mine</p>")
    tell(workspace, withdrawn=["recording_url"])
    workspace.work()
    settle(workspace)
    assert link not in body(workspace)
    assert "Mine" in body(workspace)
    assert state(workspace, log_id) is None


def test_sweep_wakes_a_connection_whose_updates_are_due(workspace: Workspace, log_id: str) -> None:
    sweep(workspace.worker)
    woken(workspace.worker)
    workspace.advance(UPDATE_SETTLE_S + 5)
    sweep(workspace.worker)
    assert woken(workspace.worker) == [workspace.connection_id]
    settle(workspace)
    with workspace.worker.database.begin() as session:
        assert session.scalars(select(SyncLog.status).filter_by(id=log_id)).one() == "success"


@pytest.mark.parametrize("is_normalised", [False, True])
def test_note_whose_creation_was_not_answered_is_completed_as_a_whole(
    workspace: Workspace, is_normalised: bool
) -> None:
    workspace.sandbox.set_behaviour(normalises_html=is_normalised)
    workspace.add_contact()
    workspace.sandbox.add_fault("notes.batch_create", "reset_after", times=1)
    log_id = workspace.accept(call_id="c", agent_name="Ada", structured_data={"mood": "good"})
    workspace.work()
    tell(workspace, structured_data={"topic": "a demo"})
    workspace.finish()
    assert workspace.log(log_id).status == "success"
    assert state(workspace, log_id) is None
    assert [body(workspace).count(each) for each in ("Details", "good", "a demo")] == [1, 1, 1]


def test_update_that_never_gets_an_answer_is_given_up_after_a_day(
    workspace: Workspace, log_id: str
) -> None:
    workspace.sandbox.add_fault("notes.batch_update", "reset_before", times=None)
    for _ in range(30):
        settle(workspace, 3_600)
    found = waiting(workspace, log_id)
    assert found is not None
    assert found.state == "failed"
    assert found.error
