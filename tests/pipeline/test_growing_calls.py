"""A call that is told in pieces becomes one note, written from everything that is known of it."""

from collections.abc import Collection
from typing import Any

import pytest
from sqlalchemy import select

from shared.calls.contents import read_contents
from shared.calls.intake import WITHOUT_END_S, WITHOUT_NEWS_S, NewCall, store_calls
from shared.models import ActivityUpdate, CallDelivery
from shared.reasons import END_UNREPORTED_MESSAGE, Lane
from tests.pipeline.conftest import Interrupted
from tests.pipeline.interruptions import CREATE, SEARCH
from tests.pipeline.test_sweep import woken
from tests.pipeline.workspaces import PHONE, Workspace
from worker.maintenance.sweep import sweep


def tell(
    workspace: Workspace,
    phone: str | None = None,
    *,
    call_id: str = "c",
    is_end: bool = False,
    withdrawn: Collection[str] = (),
    **facts: Any,
) -> str:
    """An event of a call; returns its log id."""
    payload = facts | ({"phone_number": phone} if phone else {})
    call = NewCall(
        user_id=workspace.user_id,
        workspace_id=workspace.workspace_id,
        call_id=call_id,
        phone_number=phone,
        payload=payload,
        withdrawn=tuple(withdrawn),
        event="call.updated",
        rank=2,
        is_end=is_end,
    )
    with workspace.worker.database.begin() as session:
        return store_calls(session, [call], lane=Lane.LIVE)[0].log_id


def unmerged(workspace: Workspace) -> int:
    with workspace.worker.database.begin() as session:
        query = select(CallDelivery).where(CallDelivery.facts.is_not(None))
        return len(session.scalars(query).all())


def has_update(workspace: Workspace, log_id: str) -> bool:
    with workspace.worker.database.begin() as session:
        return session.get(ActivityUpdate, log_id) is not None


def bodies(workspace: Workspace) -> list[str]:
    return [note.body for note in workspace.notes()]


def test_pieces_that_come_before_the_round_become_one_note(workspace: Workspace) -> None:
    workspace.add_contact()
    log_id = workspace.accept(call_id="c", summary="Wants a demo")
    assert tell(workspace, agent_name="Ada") == log_id
    workspace.work()
    (body,) = bodies(workspace)
    assert "Wants a demo" in body
    assert "Ada" in body
    assert unmerged(workspace) == 0
    assert workspace.log(log_id).status == "success"


@pytest.mark.parametrize("path", [SEARCH, CREATE])
def test_piece_that_comes_while_the_call_is_worked_on_is_merged_after_it(
    workspace: Workspace, interrupted: Interrupted, path: str
) -> None:
    workspace.add_contact()
    log_id = workspace.accept(call_id="c", summary="Wants a demo")
    worker = interrupted(path, lambda: tell(workspace, agent_name="Ada"))
    workspace.work(worker)
    assert len(bodies(workspace)) == 1
    workspace.work()
    assert unmerged(workspace) == 0
    assert len(bodies(workspace)) == 1
    with workspace.worker.database.begin() as session:
        assert read_contents(session, [log_id])[log_id]["agent_name"] == "Ada"
    assert has_update(workspace, log_id)


def test_number_that_comes_late_has_the_call_looked_up_again(workspace: Workspace) -> None:
    workspace.add_contact()
    log_id = workspace.accept(None, call_id="c", summary="Wants a demo")
    workspace.work()
    assert workspace.log(log_id).error_code == "no_phone_number"
    tell(workspace, PHONE)
    workspace.work()
    assert workspace.log(log_id).status == "success"


def test_call_whose_end_is_reported_is_written_then(workspace: Workspace) -> None:
    workspace.add_contact()
    log_id = tell(workspace, PHONE, summary="Wants a demo")
    workspace.work()
    assert bodies(workspace) == []
    tell(workspace, is_end=True, agent_name="Ada")
    workspace.work()
    assert workspace.log(log_id).status == "success"
    assert "Ada" in bodies(workspace)[0]


def test_call_whose_end_is_never_reported_is_written_when_nothing_more_comes(
    workspace: Workspace,
) -> None:
    workspace.add_contact()
    log_id = tell(workspace, PHONE, summary="Wants a demo")
    workspace.work_after(WITHOUT_NEWS_S - 60)
    assert bodies(workspace) == []
    workspace.work_after(61)
    assert workspace.log(log_id).status == "success"


def test_call_without_a_number_whose_end_is_never_reported_says_so_after_a_day(
    workspace: Workspace,
) -> None:
    log_id = tell(workspace, summary="Wants a demo")
    workspace.work_after(WITHOUT_END_S - 60)
    assert workspace.log(log_id).status == "pending"
    workspace.work_after(61)
    log = workspace.log(log_id)
    assert (log.status, log.error_code) == ("skipped", "no_phone_number")
    assert log.error_message == END_UNREPORTED_MESSAGE


def test_sweep_finds_news_whose_wake_up_was_lost(workspace: Workspace) -> None:
    workspace.add_contact()
    workspace.accept(call_id="c")
    workspace.work()
    sweep(workspace.worker)
    assert woken(workspace.worker) == []
    tell(workspace, summary="Wants a demo")
    workspace.advance(10)
    sweep(workspace.worker)
    assert woken(workspace.worker) == [workspace.connection_id]


def test_news_of_a_tenant_without_a_connection_is_merged_by_the_sweep(
    workspace: Workspace,
) -> None:
    workspace.disconnect()
    log_id = workspace.accept(call_id="c", summary="one")
    sweep(workspace.worker)
    assert workspace.log(log_id).error_code == "not_connected"
    tell(workspace, PHONE, agent_name="Ada")
    sweep(workspace.worker)
    assert unmerged(workspace) == 0
    assert workspace.log(log_id).error_code == "not_connected"
    workspace.add_contact()
    workspace.connect()
    workspace.work()
    assert "Ada" in bodies(workspace)[0]
