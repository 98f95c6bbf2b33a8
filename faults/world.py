"""What a scenario plays with: a cluster, tenants, a producer, and time that can be skipped."""

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Self

import psycopg
from psycopg.errors import DeadlockDetected
from psycopg.rows import dict_row
from redis import Redis

from faults.cluster import Cluster
from faults.judging.checker import Verdict, judge
from faults.judging.evidence import Identity, Row, by_identity, gather
from faults.judging.history import Delivery, History, SentCall, WebhookTimes
from faults.producer import RecordingProducer
from faults.proxies.traps import GUARD_S, AnswerTrap, CommitTrap, RequestTrap, StepTrap
from faults.tenants import Tenant
from sandbox.client import ActivityControl
from shared.activities.hubspot import TYPES
from shared.broker.celery_app import make_celery
from shared.broker.messages import HOUSEKEEPING_TASK
from shared.queue.claims import LEASE_S

POLL_S: Final = 0.05
# A live claim is renewed every 5 s to a full lease; one with less left has lost its worker.
LEFT_OF_A_DEAD_CLAIM_S: Final = LEASE_S - 10
SOON_S: Final = 0.3
ASK_AGAIN_S: Final = 1.0

_OURS: Final = "user_id = ANY(%(users)s)"
_OUR_HUBS: Final = "hub_id = ANY(%(hubs)s)"
_OUR_LOGS: Final = "log_id IN (SELECT id FROM hubspot_sync_logs WHERE user_id = ANY(%(users)s))"
# What `skip` makes older: the table, its times, and which of its rows are the run's.
_MOMENTS: Final = (
    (
        "hubspot_sync_logs",
        ("next_attempt_at", "last_write_at", "failing_since", "claimed_until"),
        _OURS,
    ),
    (
        "hubspot_strays",
        ("written_at", "next_attempt_at"),
        f"activity_id IS NULL AND {_OUR_LOGS}",
    ),
    ("hubspot_accounts", ("paused_until",), _OUR_HUBS),
    (
        "activity_updates",
        ("due_at", "first_news_at", "last_write_at", "failing_since", "claimed_until"),
        _OURS,
    ),
    ("activities", ("updated_at",), _OUR_LOGS),
)
_LEFT_BY_A_RUN: Final = (
    ("hubspot_sync_logs", _OURS),
    ("hubspot_sync_tallies", _OURS),
    ("hubspot_oauth_tokens", _OURS),
    ("hubspot_accounts", _OUR_HUBS),
    ("hubspot_revocations", _OUR_HUBS),
    ("hubspot_strays", _OUR_HUBS),
)
# Of updates and news only those that are not kept for a later connection.
_FIND_UNSETTLED: Final = """
    SELECT id FROM hubspot_sync_logs
    WHERE user_id = ANY(%(users)s) AND (status = 'pending' OR claimed_by IS NOT NULL)
    UNION ALL
    SELECT u.log_id FROM activity_updates u
    JOIN hubspot_oauth_tokens c USING (user_id, workspace_id)
    WHERE u.user_id = ANY(%(users)s) AND u.state = 'waiting'
      AND (c.state = 'connected' OR u.claimed_by IS NOT NULL)
    UNION ALL
    SELECT d.log_id FROM call_deliveries d
    JOIN hubspot_oauth_tokens c USING (user_id, workspace_id)
    WHERE d.user_id = ANY(%(users)s) AND d.facts IS NOT NULL AND c.state = 'connected'
    LIMIT 1
"""
_FIND_IDLE: Final = """
    SELECT count(*) FILTER (WHERE claimed_until > now() + make_interval(secs => %(dead)s)) AS held,
           extract(epoch FROM max(claimed_until) - now())::float8 AS lease_left,
           extract(epoch FROM min(greatest(l.next_attempt_at, a.paused_until)) FILTER
               (WHERE claimed_by IS NULL) - now())::float8 AS due_in
    FROM (
        SELECT user_id, workspace_id, claimed_by, claimed_until, next_attempt_at
        FROM hubspot_sync_logs WHERE status = 'pending' OR claimed_by IS NOT NULL
        UNION ALL
        SELECT user_id, workspace_id, claimed_by, claimed_until, due_at
        FROM activity_updates WHERE state = 'waiting'
    ) AS l
    LEFT JOIN hubspot_oauth_tokens c USING (user_id, workspace_id)
    LEFT JOIN hubspot_accounts a ON a.hub_id = c.hub_id
    WHERE l.user_id = ANY(%(users)s)
"""


class World:
    """One run of one scenario, on tenants of its own. Everything drawn comes from `draws`."""

    def __init__(
        self,
        cluster: Cluster,
        draws: random.Random,
        *,
        is_timed: bool = True,
        is_growing: bool = False,
    ) -> None:
        """Begin a run; the cluster must not be in use by another one.

        With `is_timed` a run may be wrong for taking too long: the machine has to be a calm one.
        With `is_growing` calls are delivered in pieces.
        """
        self._is_timed = is_timed
        self._is_growing = is_growing
        self.cluster = cluster
        self.draws = draws
        cluster.crew.fill_up()
        cluster.crew.wait_until_ready()
        self.history = History()
        self.kind = TYPES[cluster.activity].name
        self.sandbox = ActivityControl(cluster.sandbox_url, self.kind)
        self.sandbox.reset()  # so that every account there is belongs to this run
        self.producer = RecordingProducer(
            cluster.api_url, cluster.env["WEBHOOK_SECRETS"], self.history
        )
        self.database = self._connect()
        self.redis: Redis = Redis.from_url(cluster.valkey.url)
        self.tenants: list[Tenant] = []
        self.aged: dict[Identity, Row] = {}
        self._traps: list[StepTrap] = []
        self._complaints: list[str] = []
        self._is_haste_excused = False
        self.webhooks: WebhookTimes | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Mend everything and remove what the run has stored."""
        self.mend()
        self.cluster.api_doors.bury()
        self.cluster.worker_doors.bury()
        for table, ours in _LEFT_BY_A_RUN:
            self.execute(f"DELETE FROM {table} WHERE {ours}")  # noqa: S608 - our own names
        for tenant in self.tenants:
            tenant.visitor.__exit__()
        self.producer.close()
        self.database.close()
        self.redis.close()
        self.sandbox.__exit__()

    def mend(self) -> None:
        """Let everything pass and run again."""
        self.release_traps()
        self.cluster.api_door.heal()
        self.cluster.api_doors.heal()
        self.cluster.worker_doors.heal()
        self.sandbox.clear_faults()
        self.cluster.crew.fill_up()

    def add_account(self) -> int:
        """Open one more HubSpot account and return its hub id."""
        return self.sandbox.add_account(next(self.cluster.hub_ids))

    def trap_commit(
        self, sql: str, *, is_after: bool, goes_on: bool = False, at_intake: bool = False
    ) -> CommitTrap:
        """Set a trap at the commit of a transaction of a worker's, or of the API's."""
        doors = self.cluster.api_doors if at_intake else self.cluster.worker_doors
        trap = CommitTrap(doors.conversations, sql, is_after=is_after, goes_on=goes_on)
        doors.postgres.traps.append(trap)
        self._traps.append(trap)
        return trap

    def trap_request(self, path: str, *, is_after: bool, goes_on: bool = False) -> RequestTrap:
        """Set a trap at a worker's request to HubSpot."""
        path = path.replace("/notes/", f"/{self.kind}/")
        trap = RequestTrap(path, is_after=is_after, goes_on=goes_on)
        self.cluster.worker_doors.hubspot.traps.append(trap)
        self._traps.append(trap)
        return trap

    def trap_handout(self, text: str) -> AnswerTrap:
        """Set a trap at what Redis hands out to a worker."""
        trap = AnswerTrap(text)
        self.cluster.worker_doors.redis.traps.append(trap)
        self._traps.append(trap)
        return trap

    def release_traps(self) -> None:
        """Let go what traps hold; those that nobody came to yet will hold nothing."""
        for trap in self._traps:
            trap.release()

    def complain(self, problem: str) -> None:
        """Say that something went wrong that the checker cannot know of."""
        self._complaints.append(problem)

    def note_webhooks(self, calm: Sequence[Delivery], during: Sequence[Delivery]) -> None:
        """Note how long webhooks took in the calm and during the fault."""
        self.webhooks = WebhookTimes.of(calm, during)

    def excuse_haste(self) -> None:
        """Say that requests beyond HubSpot's limits are no wonder: its budgets were destroyed."""
        self._is_haste_excused = True

    def complain_if_slow(self, what: str, seconds: float, *, limit: float) -> None:
        """Say that something took too long, on a machine on which that can be told."""
        if self._is_timed and seconds > limit:
            self.complain(f"{what} took {seconds:.2f} s, not {limit:.2f} s")

    def tenant(self, *, hub_id: int | None = None, is_connected: bool = True) -> Tenant:
        """A new tenant, connected to a new account or to the one named."""
        tenant = Tenant(self.cluster, self.sandbox, self.draws, hub_id=hub_id)
        self.tenants.append(tenant)
        if is_connected:
            tenant.connect()
        return tenant

    def post(self, calls: Iterable[SentCall], *, at_once: int = 8) -> list[Delivery]:
        """Post calls until each is acknowledged; in pieces if calls grow in this run."""
        calls = list(calls)
        if not self._is_growing:
            return self.producer.insist_on_all(calls, at_once=at_once)
        pieces = {call.identity: [call, *self.pieces(call)] for call in calls}
        for each in pieces.values():
            self.draws.shuffle(each)
            each.append(self.draws.choice(each))  # one comes again
        first, *later = zip(*pieces.values(), strict=True)
        deliveries = self.producer.insist_on_all(first, at_once=at_once)
        for wave in later:
            self.producer.insist_on_all(wave, at_once=at_once)
        return deliveries

    def pieces(self, call: SentCall) -> list[SentCall]:
        """Two further deliveries of a call, each with a fact that no other one has."""
        said = {name: value for name, value in call.data.items() if name != "summary"}
        return [
            replace(call, data={**said, "structured_data": {name: f"said {name}"}})
            for name in (f"fact {self.draws.randbytes(6).hex()}" for _ in range(2))
        ]

    def keep_house(self) -> None:
        """Ask a worker for its housekeeping, as beat does every minute."""
        with make_celery(self.cluster.valkey.url, self.cluster.prefix) as app:
            app.send_task(HOUSEKEEPING_TASK, queue=self.cluster.prefix)

    def keep_house_until(self, condition: Callable[[], bool]) -> None:
        """Ask for housekeeping as often as it takes; raises TimeoutError.

        A round leaves out what another one is at.
        """
        deadline = time.monotonic() + GUARD_S
        while not condition():
            self.keep_house()
            asked_at = time.monotonic()
            if asked_at > deadline:
                raise TimeoutError(f"{condition.__qualname__} did not come true")
            while not condition() and time.monotonic() < asked_at + ASK_AGAIN_S:
                time.sleep(POLL_S)

    def wait_for(self, condition: Callable[[], bool], *, timeout_s: float = GUARD_S) -> float:
        """Wait for something; returns the seconds it took. Raises TimeoutError."""
        started = time.monotonic()
        while not condition():
            if time.monotonic() - started > timeout_s:
                raise TimeoutError(f"{condition.__qualname__} did not come true")
            time.sleep(POLL_S)
        return time.monotonic() - started

    def rows(self) -> Sequence[Row]:
        """The sync log of the run's tenants, oldest first."""
        return self.execute(
            "SELECT * FROM hubspot_sync_logs WHERE user_id = ANY(%(users)s) ORDER BY id"
        )

    def is_settled(self) -> bool:
        """Whether every call has an outcome and nobody holds it."""
        return not self.execute(_FIND_UNSETTLED)

    def recover(self, *, timeout_s: float = GUARD_S) -> float:
        """Wait until everything is settled, skipping no time; returns the seconds."""
        return self.wait_for(self.is_settled, timeout_s=timeout_s)

    def settle(self, *, timeout_s: float = GUARD_S) -> None:
        """Come to the end of all that is scheduled, skipping the time in which nothing happens.

        Raises TimeoutError.
        """
        deadline = time.monotonic() + timeout_s
        while not self.is_settled():
            if time.monotonic() > deadline:
                waiting = [dict(row) for row in self.rows() if row["status"] == "pending"]
                raise TimeoutError(f"{len(waiting)} calls are not settled, as {waiting[:1]}")
            if (idle_s := self._idle_s()) > SOON_S:
                self.skip(idle_s)
            time.sleep(POLL_S)

    def _idle_s(self) -> float:
        """Seconds in which nothing happens but the end of dead workers' leases."""
        found = self.execute(_FIND_IDLE, dead=LEFT_OF_A_DEAD_CLAIM_S)[0]
        if found["held"]:
            return 0.0
        waits: list[float] = [
            each for each in (found["lease_left"], found["due_in"]) if each is not None
        ]
        return min(waits, default=0)

    def skip(self, seconds: float) -> None:
        """Make the run's calls and its accounts' pauses that much older. Nobody may be at work."""
        for table, names, ours in _MOMENTS:
            changes = ", ".join(
                f"{name} = {name} - make_interval(secs => %(age)s)" for name in names
            )
            self.execute(f"UPDATE {table} SET {changes} WHERE {ours}", age=seconds)  # noqa: S608 - our own names
        for key in self.redis.scan_iter(
            f"{self.cluster.prefix}:swept:*"
        ):  # else the sweep waits in real time
            self.redis.delete(key)

    def age(self, days: int) -> None:
        """Make what there is older by days; its rows are kept in mind, for they may be pruned."""
        self.aged |= by_identity(self.rows())
        for table, name, ours in (
            ("hubspot_sync_logs", "created_at", _OURS),
            ("calls", "received_at", _OUR_LOGS),
        ):
            statement = f"UPDATE {table} SET {name} = {name} - make_interval(days => %(days)s)"  # noqa: S608 - our own names
            self.execute(f"{statement} WHERE {ours}", days=days)

    def reconnect(self) -> None:
        """Open a new connection to Postgres, which was restarted."""
        self.database.close()
        self.database = self._connect()

    def _connect(self) -> psycopg.Connection[dict[str, Any]]:
        return psycopg.connect(self.cluster.postgres.url, autocommit=True, row_factory=dict_row)

    def execute(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        """Run a statement about the run's tenants, straight on Postgres; returns its rows."""
        bound: Mapping[str, Any] = {
            "users": [tenant.user_id for tenant in self.tenants],
            "hubs": [tenant.hub_id for tenant in self.tenants],
            **parameters,
        }
        while True:
            try:
                cursor = self.database.execute(statement.encode(), bound)
            except DeadlockDetected:  # a sweep and we had taken each other's rows
                continue
            return cursor.fetchall() if cursor.description else []

    def judge(self) -> Verdict:
        """Compare everything that was sent with everything that is there."""
        self.cluster.crew.fill_up()
        self._complaints += self.cluster.crew.deaths
        self.cluster.crew.deaths.clear()
        evidence = gather(self)
        if self._is_haste_excused:
            evidence = replace(evidence, violations={})
        verdict = judge(self.history, evidence)
        return replace(verdict, problems=(*self._complaints, *verdict.problems))
