"""Workers live through the erasure of a tenant whose calls they hold."""

import click.testing

from cli import main
from tests.local.waiting import wait_for
from tests.pipeline.conftest import MakeWorkspace, StartWorker
from tests.pipeline.workspaces import Workspace
from tests.settings.environment import make_environ

CALLS = 20


def erase(workspace: Workspace, environment: dict[str, str]) -> None:
    result = click.testing.CliRunner(env=make_environ(**environment)).invoke(
        main,
        ["erase", "--user", workspace.user_id, "--workspace", workspace.workspace_id, "--yes"],
    )
    assert result.exit_code == 0, result.output


def test_worker_goes_on_with_others_calls_and_brings_nothing_back(
    workspace: Workspace,
    make_workspace: MakeWorkspace,
    start_worker: StartWorker,
    environment: dict[str, str],
) -> None:
    workspace.add_contact()
    for _ in range(CALLS):
        workspace.accept()
    slow = workspace.sandbox.add_fault("contacts.search", "slow", times=1, seconds=2)
    process = start_worker()
    workspace.worker.wake_ups.wake(workspace.connection_id)
    wait_for(lambda: workspace.sandbox.struck(slow) == 1)
    assert None not in {each.claimed_by for each in workspace.logs()}

    erase(workspace, environment)

    assert workspace.logs() == []
    another = make_workspace()
    another.connect()
    another.add_contact()
    another.accept()
    another.worker.wake_ups.wake(another.connection_id)
    wait_for(lambda: another.outcomes() == [("success", None)])
    assert workspace.logs() == []
    assert workspace.notes() == []

    again = workspace.accept()
    wait_for(lambda: workspace.outcomes() == [("skipped", "not_connected")])
    assert [each.id for each in workspace.logs()] == [again]
    assert process.is_running
    assert "Traceback" not in process.log_tail()
    process.stop()
