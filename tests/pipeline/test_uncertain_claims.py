"""The commit of a claim is not answered: nobody may wait for a lease that nobody knows of."""

from collections.abc import Iterator

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError

from faults.proxies.postgres_wire import Conversations
from faults.proxies.proxy import Proxy
from faults.proxies.traps import CommitTrap
from faults.scenarios.workers import CLAIM
from tests.pipeline.conftest import OpenWorker
from tests.pipeline.workspaces import Workspace


@pytest.fixture
def conversations() -> Conversations:
    return Conversations()


@pytest.fixture
def proxy(environment: dict[str, str], conversations: Conversations) -> Iterator[Proxy]:
    port = make_url(environment["DATABASE_URL"]).port
    assert port is not None
    with Proxy(port, conversations) as proxy:
        yield proxy


def test_claim_that_may_have_been_committed_is_taken_back(
    workspace: Workspace,
    open_worker: OpenWorker,
    environment: dict[str, str],
    proxy: Proxy,
    conversations: Conversations,
) -> None:
    direct = make_url(environment["DATABASE_URL"])
    distant = direct.set(port=proxy.port).update_query_dict({"sslmode": "disable"})
    worker = open_worker(DATABASE_URL=distant.render_as_string(hide_password=False))
    trap = CommitTrap(conversations, CLAIM, is_after=True)
    trap.release()
    proxy.traps.append(trap)
    contact_id = workspace.add_contact()
    log_id = workspace.accept()

    with pytest.raises(OperationalError):
        workspace.turn(worker)

    assert trap.sprung_by is not None
    log = workspace.log(log_id)
    assert (log.fence, log.claimed_by, log.suspect_size) == (1, None, None)
    workspace.work()
    assert workspace.log(log_id).status == "success"
    assert len(workspace.notes(contact_id)) == 1
