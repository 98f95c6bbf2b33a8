"""The whole service behind PgBouncer: migrated, examined and put under load through it."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from local.databases import PROJECT, fresh_database
from local.producer import Producer
from local.stack import Stack
from local.visitor import Visitor, sign_in
from sandbox.client import SandboxControl
from tests.local.waiting import wait_for
from tests.pooler.bouncers import CURRENT_REFUSING, OLD_IGNORING, Bouncer

TENANT = {"user_id": "user_1", "workspace_id": "ws_1"}
CALLS = 120
AT_ONCE = 24


@pytest.fixture(scope="module")
def postgres_url(postgres_server_url: str, bouncer: Bouncer) -> Iterator[str]:  # noqa: ARG001 - one each
    """A database without a table for each pooler: the migrations go through it too."""
    with fresh_database(postgres_server_url) as url:
        yield url


@pytest.fixture(scope="module")
def stack(pooled_url: str) -> Iterator[Stack]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", pooled_url)
        patch.delenv("REDIS_URL", raising=False)
        with Stack(workers=2, beat=False) as stack:
            yield stack


@pytest.mark.parametrize("bouncer", [OLD_IGNORING, CURRENT_REFUSING], ids=str, indirect=True)
def test_each_of_many_webhooks_at_once_becomes_one_note(stack: Stack) -> None:
    assert stack.sandbox_url
    token = sign_in(stack.env["JWT_SECRET"], **TENANT, lasts=timedelta(hours=1))
    numbers = [f"+1202555{number:04}" for number in range(100, 100 + CALLS)]
    producer = Producer(stack.api_url, stack.env["WEBHOOK_SECRETS"])
    with SandboxControl(stack.sandbox_url) as sandbox, Visitor(stack.api_url, token) as visitor:
        hub_id = 4711
        sandbox.add_account(hub_id)
        sandbox.add_contacts(hub_id, [{"phone": number} for number in numbers])
        visitor.connect(sandbox, hub_id)

        with ThreadPoolExecutor(AT_ONCE) as threads:
            calls = (
                {**TENANT, "call_id": f"call{number}", "phone_number": number, "summary": "Hello"}
                for number in numbers
            )
            accepted = list(threads.map(producer.post_call, calls))

        assert len({each.log_id for each in accepted if not each.is_duplicate}) == CALLS
        wait_for(lambda: count_statuses(visitor) == {"success": CALLS})
        assert len(sandbox.notes(hub_id)) == CALLS


@pytest.mark.parametrize("bouncer", [OLD_IGNORING, CURRENT_REFUSING], ids=str, indirect=True)
def test_doctor_says_that_a_pooler_is_there_and_that_the_limits_are_in_force(stack: Stack) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "cli", "doctor"],
        cwd=PROJECT,
        env=stack.env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stdout
    assert "A pooler stands before Postgres and lends its connections by the transaction" in (
        result.stdout
    )
    assert "Time limits are in force: statement_timeout 15s" in result.stdout


def count_statuses(visitor: Visitor) -> Counter[str]:
    statuses: Counter[str] = Counter()
    query: dict[str, str | int] = {"limit": 100}
    while True:
        page = visitor.get("/api/hubspot/sync-logs", **query)
        statuses.update(entry["status"] for entry in page["logs"])
        if not page.get("next_cursor"):
            return statuses
        query["cursor"] = page["next_cursor"]
