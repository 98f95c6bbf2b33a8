"""A service under measurement: a local stack, connected workspaces, calls stored or sent."""

import json
import secrets
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self

import psutil
import psycopg
from standardwebhooks import Webhook

from bench.load import make_request, send_in_turn
from local import services
from local.processes import Process
from local.producer import WEBHOOK_PATH
from local.stack import Stack
from local.visitor import Visitor, sign_in
from sandbox.client import SandboxControl
from shared.calls.intake import NewCall, store_calls
from shared.configuration.settings import DatabaseSettings
from shared.database.engines import Database
from shared.reasons import Lane

# What HubSpot's answers take from a data centre, about: 150 to 250 ms.
LATENCY_MS: Final = 150
JITTER_MS: Final = 100

SETTLE_TIMEOUT_S: Final = 900.0
POLL_S: Final = 0.25
# Searches of one account have a rhythm, in which an idle account never is.
PAUSE_S: Final = 0.3
ROWS_A_TRANSACTION: Final = 500
_STORE_MANY: Final = """
    WITH made AS (
        INSERT INTO hubspot_sync_logs (id, user_id, workspace_id, call_id, phone_number)
        SELECT 'hs_' || replace(gen_random_uuid()::text, '-', ''), %(user_id)s, %(workspace_id)s,
               'call_many_' || n, '+1202' || 2000000 + n %% %(numbers)s
        FROM generate_series(1, %(count)s) n
        RETURNING id, call_id
    )
    INSERT INTO calls (log_id, payload)
    SELECT id, jsonb_build_object('call_id', call_id, 'summary', %(summary)s::text) FROM made
"""
# Most benchmarks have one tenant do what hundreds would.
NO_QUOTAS: Final = {
    "DASHBOARD_REQUESTS_PER_MINUTE": "1000000",
    "WEBHOOK_CALLS_PER_MINUTE": "10000000",
}
SUMMARY: Final = "The customer asked for a demonstration of the product and for prices. " * 4


@dataclass(frozen=True)
class Workspace:
    """A workspace that is connected to an account of its own."""

    user_id: str
    workspace_id: str
    hub_id: int
    token: str

    def call(self, phone_number: str) -> dict[str, Any]:
        """The data of a webhook about a call that nobody sent before."""
        return {
            "call_id": f"call_{secrets.token_hex(8)}",
            "user_id": self.user_id,
            "workspace_id": self.workspace_id,
            "phone_number": phone_number,
            "direction": "inbound",
            "duration_seconds": 180,
            "summary": SUMMARY,
            "recording_url": "https://recordings.example.com/call.wav",
            "agent_name": "Ada",
        }


def phone_numbers(count: int, *, first: int = 0) -> list[str]:
    """Distinct valid numbers in E.164, the same for the same arguments."""
    return [f"+1202{2_000_000 + first + each}" for each in range(count)]


class Rig:
    """A running service whose HubSpot is the sandbox; use it as a context."""

    def __init__(self, *, workers: int = 1, latency_ms: float = LATENCY_MS, **options: Any) -> None:
        self.stack = Stack(workers=workers, **{"env": NO_QUOTAS, **options})
        self._latency_ms = latency_ms

    def __enter__(self) -> Self:
        self.stack.start()
        if self.stack.sandbox_url is None:
            raise ValueError("the benchmarks need the sandbox")
        self.sandbox = SandboxControl(self.stack.sandbox_url)
        self.sandbox.set_behaviour(
            latency_ms=self._latency_ms, latency_jitter_ms=JITTER_MS if self._latency_ms else 0
        )
        url = self.stack.owner_url
        self.database = Database(DatabaseSettings.load({"DATABASE_URL": url}).sqlalchemy_url)
        self.postgres = psycopg.connect(url, autocommit=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.postgres.close()
        self.database.engine.dispose()
        self.stack.stop()

    @property
    def server_url(self) -> str:
        """Postgres as one who may make databases there."""
        return self.stack.postgres.url if self.stack.postgres else self.stack.owner_url

    def connect_workspaces(self, count: int) -> list[Workspace]:
        """Open accounts and connect each through OAuth."""
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(self.connect_workspace, range(count)))

    def connect_workspace(self, number: int) -> Workspace:
        """Open an account and connect it through OAuth; `number` names user and workspace."""
        user_id, workspace_id = f"user_{number}", f"ws_{number}"
        hub_id = self.sandbox.add_account()
        token = sign_in(
            self.stack.env["JWT_SECRET"],
            user_id=user_id,
            workspace_id=workspace_id,
            lasts=timedelta(hours=2),
        )
        with Visitor(self.stack.api_url, token) as visitor:
            visitor.connect(self.sandbox, hub_id)
        return Workspace(user_id, workspace_id, hub_id, token)

    def add_contacts(self, workspace: Workspace, numbers: Sequence[str]) -> None:
        """Give an account a contact for each number, typed as people type them."""
        self.sandbox.add_contacts(
            workspace.hub_id,
            [{"phone": f"({n[2:5]}) {n[5:8]}-{n[8:]}", "firstname": "Ann"} for n in numbers],
        )

    def store_calls(self, workspace: Workspace, numbers: Sequence[str]) -> None:
        """Store calls as intake does, without waking anybody."""
        for start in range(0, len(numbers), ROWS_A_TRANSACTION):
            calls = [
                self._new_call(workspace, n) for n in numbers[start : start + ROWS_A_TRANSACTION]
            ]
            with self.database.begin() as session:
                store_calls(session, calls, lane=Lane.LIVE)

    def _new_call(self, workspace: Workspace, number: str) -> NewCall:
        call = workspace.call(number)
        identity = {name: call.pop(name) for name in ("user_id", "workspace_id")}
        return NewCall(
            **identity,
            call_id=call["call_id"],
            phone_number=call.pop("phone_number"),
            payload=call,
        )

    def webhooks(self, calls: Sequence[dict[str, Any]]) -> list[bytes]:
        """Signed requests that deliver these calls, to be sent within five minutes."""
        signer = Webhook(self.stack.env["WEBHOOK_SECRETS"].partition(",")[0])
        now = datetime.now(UTC)
        made = []
        for call in calls:
            body = json.dumps({"type": "call.ended", "timestamp": now.isoformat(), "data": call})
            delivery = f"msg_{secrets.token_hex(12)}"
            headers = {
                "webhook-id": delivery,
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": signer.sign(delivery, now, body),
            }
            url = self.stack.api_url + WEBHOOK_PATH
            made.append(make_request(url, body=body.encode(), headers=headers))
        return made

    def store_many_calls(self, workspace: Workspace, count: int, *, numbers: int) -> None:
        """Store calls of `phone_numbers(numbers)` by one statement, without waking anybody."""
        self.postgres.execute(
            _STORE_MANY,
            {
                "user_id": workspace.user_id,
                "workspace_id": workspace.workspace_id,
                "numbers": numbers,
                "count": count,
                "summary": SUMMARY,
            },
        )

    def store_failed_calls(self, workspace: Workspace, count: int) -> None:
        """Give a log entries of calls that were refused, which can be exported and retried."""
        self.store_many_calls(workspace, count, numbers=count)
        self.postgres.execute(
            "UPDATE hubspot_sync_logs SET status = 'error', error_code = 'rejected_by_hubspot',"
            " error_message = 'Refused.', next_attempt_at = NULL WHERE user_id = %s",
            [workspace.user_id],
        )
        self.postgres.execute("VACUUM ANALYZE")

    def hold_calls(self) -> None:
        """Keep all stored calls from being due until they are freed."""
        self.postgres.execute("UPDATE hubspot_sync_logs SET next_attempt_at = now() + '1 day'")
        self.postgres.execute("VACUUM ANALYZE hubspot_sync_logs")

    def free_calls(self) -> None:
        """Make all calls due."""
        self.postgres.execute("UPDATE hubspot_sync_logs SET next_attempt_at = now()")

    def outcomes_took(self) -> float:
        """Seconds from the beginning of the first attempt to the end of the last."""
        row = self.postgres.execute(
            "SELECT extract(epoch FROM max(started_at + duration_ms * interval '1 ms')"
            " - min(started_at)) FROM hubspot_sync_attempts"
        ).fetchone()
        return float(row[0]) if row else 0.0

    def count(self, status: str, workspace: Workspace | None = None) -> int:
        """How many calls (of one workspace) have a status."""
        row = self.postgres.execute(
            "SELECT count(*) FROM hubspot_sync_logs"
            " WHERE status = %s AND coalesce(user_id = %s, true)",
            [status, workspace.user_id if workspace else None],
        ).fetchone()
        return int(row[0]) if row else 0

    def wait_until_settled(self, workspace: Workspace | None = None) -> None:
        """Return when no call (of one workspace) is pending; raises TimeoutError."""
        ends_at = time.monotonic() + SETTLE_TIMEOUT_S
        while left := self.count("pending", workspace):
            if time.monotonic() > ends_at:
                raise TimeoutError(f"{left} calls are still pending")
            time.sleep(POLL_S)

    def time_single_calls(self, workspace: Workspace, numbers: Sequence[str]) -> list[float]:
        """Milliseconds from a webhook's answer to its note, for one call after another.

        The numbers must be new to the account.
        """
        self.add_contacts(workspace, numbers)
        known = len(self.sandbox.notes(workspace.hub_id))
        answered = []
        for number in numbers:
            request = self.webhooks([workspace.call(number)])
            send_in_turn(self.stack.api_url, request, connections=1).require(202)
            answered.append(time.time() * 1000)
            self.wait_until_settled(workspace)
            time.sleep(PAUSE_S)
        notes = self.sandbox.notes(workspace.hub_id)[known:]
        return [note.created_ms - at for note, at in zip(notes, answered, strict=True)]

    def start_worker(self, number: int = 1) -> Process:
        """Start a worker of ours."""
        return self.stack.add(services.worker(number, self.stack.env["REDIS_URL"]))

    def forget_calls(self, workspace: Workspace) -> None:
        """Take the calls of a workspace away that nobody works on, as if they had never come."""
        self.postgres.execute(
            "DELETE FROM hubspot_sync_logs WHERE user_id = %s AND claimed_by IS NULL",
            [workspace.user_id],
        )

    def cpu_seconds(self) -> dict[str, float]:
        """Seconds of processor time that each process has used, with its children."""
        return {name: _cpu_seconds(process.pid) for name, process in self.stack.processes.items()}


def _cpu_seconds(pid: int) -> float:
    parent = psutil.Process(pid)
    used = 0.0
    for process in (parent, *parent.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            used += times.user + times.system
    return used
