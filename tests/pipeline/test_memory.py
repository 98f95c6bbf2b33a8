"""A worker under a limit on its memory, and the largest contents that may wait for it."""

import json
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import text

from local import services
from local.databases import PROJECT
from local.processes import Command, Process
from tests.local.waiting import wait_for
from tests.pipeline.workspaces import PHONE, Workspace

LIMIT_BYTES: Final = 400 * 1024 * 1024
# What counts of a thread is all of its stack, though little of it is ever used.
STACK_BYTES: Final = 512 * 1024
LIMITED: Final = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_STACK, ({stack}, {stack}))
resource.setrlimit(resource.RLIMIT_DATA, ({data}, {data}))
os.execv(sys.executable, [sys.executable, "-m", *sys.argv[1:]])
"""

# As a version that cut no transcript stored them: what waits at an upgrade.
STORE: Final = text("""
    WITH made AS (
        INSERT INTO hubspot_sync_logs (id, user_id, workspace_id, call_id, phone_number)
        SELECT 'hs_' || replace(gen_random_uuid()::text, '-', ''), :user_id, :workspace_id,
               'call_' || n, :phone
        FROM generate_series(1, :count) n
        RETURNING id, call_id
    )
    INSERT INTO calls (log_id, payload, payload_bytes)
    SELECT id, payload, CASE WHEN :is_measured THEN octet_length(payload::text) END
    FROM (SELECT id, jsonb_build_object('call_id', call_id) || CAST(:content AS jsonb) AS payload
          FROM made) AS content
""")


@pytest.fixture
def limited_worker(environment: dict[str, str], tmp_path: Path) -> Iterator[Process]:
    """A worker process that gets no more memory than the limit."""
    service = services.worker(1, environment["REDIS_URL"])
    limited = LIMITED.format(stack=STACK_BYTES, data=LIMIT_BYTES)
    command = Command(
        name=service.name,
        arguments=[sys.executable, "-c", limited, *service.arguments],
        log=tmp_path / "worker.log",
        environment=os.environ | environment | {"MALLOC_ARENA_MAX": "2"},
        directory=PROJECT,
    )
    process = Process(command, lambda: "worker_started" in command.log.read_text())
    process.wait_until_ready()
    assert resource.prlimit(process.pid, resource.RLIMIT_DATA) == (LIMIT_BYTES, LIMIT_BYTES)
    yield process
    process.stop()


def store(workspace: Workspace, count: int, content: object, *, is_measured: bool) -> None:
    with workspace.worker.database.begin() as session:
        session.execute(
            STORE,
            {
                "user_id": workspace.user_id,
                "workspace_id": workspace.workspace_id,
                "phone": PHONE,
                "count": count,
                "content": json.dumps(content),
                "is_measured": is_measured,
            },
        )


WORDS: Final = {"transcript": [{"role": "user", "text": "yes"}] * 30_000}
# One mebibyte as it is sent, 47 kB on the disk, 54 MB as text.
HUGE_NUMBERS: Final = {"structured_data": {"a": [1e308] * 170_000}}


@pytest.mark.parametrize(
    ("content", "count", "is_measured"),
    [(WORDS, 60, False), (HUGE_NUMBERS, 3, True), (HUGE_NUMBERS, 3, False)],
    ids=["words", "huge numbers", "huge numbers of unknown size"],
)
def test_worker_keeps_below_its_limit(
    workspace: Workspace,
    limited_worker: Process,
    content: object,
    count: int,
    is_measured: bool,
) -> None:
    workspace.add_contact()
    store(workspace, count, content, is_measured=is_measured)
    workspace.worker.wake_ups.wake(workspace.connection_id)
    wait_for(lambda: not {each.status for each in workspace.logs()} - {"success"})

    assert limited_worker.is_running
    assert {(each.attempts, each.fence) for each in workspace.logs()} == {(1, 1)}
    assert len(workspace.notes()) == count
