"""A tenant that is forgotten is: in every table, beside workers at work, and only that one."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import click.testing
import pytest
from sqlalchemy import func, insert, select, text, update

from cli import main
from commands import erase_tenant
from shared.calls.intake import NewCall, store_calls
from shared.connections.lifecycle import CONNECTED, ensure_connection, find_connection
from shared.database.engines import Database
from shared.models import (
    Account,
    Activity,
    ActivityUpdate,
    AuditEntry,
    Base,
    CallDelivery,
    CallSource,
    DailyLatency,
    DailyTally,
    Handover,
    Latency,
    OAuthState,
    PendingGrant,
    Quota,
    Revocation,
    SessionEnd,
    SourceDelivery,
    Stray,
    SyncLog,
    Tally,
)
from shared.privacy import tenant_erasure
from shared.privacy.audit import Action, Actor, Deed, record_deed
from shared.queue.marks import Mark, mark_calls
from shared.queue.outcomes import Outcome
from shared.queue.strays import UnansweredWrite, add_unanswered_writes
from shared.reasons import Lane
from tests.emptying import empty
from tests.local.waiting import GUARD_SECONDS, wait_for
from tests.queue.tenants import HUB, Tenant, ago, grant, written
from tests.settings.environment import make_environ

Erase = Callable[..., click.testing.Result]
MINE: Final = ("--user", "user_1", "--workspace", "ws_1")


@pytest.fixture
def tenant(database: Database) -> Tenant:
    empty(database)
    return Tenant(database)


@pytest.fixture
def erase(postgres_url: str, valkey_url: str) -> Erase:
    """Runs `callsync erase` with these arguments."""
    environ = make_environ(DATABASE_URL=postgres_url, REDIS_URL=valkey_url)

    def run(*arguments: str, **options: Any) -> click.testing.Result:
        return click.testing.CliRunner(env=environ).invoke(main, ["erase", *arguments], **options)

    return run


def fill(tenant: Tenant) -> None:
    """Leave a row of the tenant's in every table that knows tenants, or hangs on one that does."""
    tenant.connect(grant(HUB if tenant.user_id == "user_1" else HUB + 1))
    done, waiting, failed = tenant.store(3, payload={"summary": "Mildred wants a cat"})
    calls = {call.id: call for call in tenant.claim()}
    tenant.record(written(calls[done]))
    with tenant.database.begin() as session:
        session.execute(insert(Stray).values(log_id=failed, hub_id=HUB, contact_id="7"))
        session.execute(
            insert(Stray).values(
                hub_id=HUB, activity_id=f"surplus of {tenant.user_id}", log_id=done
            )
        )
        session.execute(
            insert(CallDelivery).values(
                **tenant.identity,
                log_id=done,
                content_hash=b"seen",
                event="call.updated",
                rank=2,
                received_at=ago(5),
                is_end=False,
                is_final=False,
                fields=["summary"],
                facts={"summary": "Mildred wants two cats"},
            )
        )
        source_id = f"src_{tenant.user_id}"
        session.execute(
            insert(CallSource).values(
                **tenant.identity, id=source_id, vendor="generic", name="Mildred's"
            )
        )
        session.execute(
            insert(SourceDelivery).values(
                **tenant.identity, source_id=source_id, at=ago(5), result="stored", fields=[]
            )
        )
        session.execute(insert(Activity).values(log_id=done, content_hash=b"written"))
        session.execute(
            insert(ActivityUpdate).values(
                **tenant.identity, log_id=done, hub_id=HUB, due_at=ago(-600)
            )
        )
        session.execute(
            insert(Quota).values(**tenant.identity, action="preview", used_at=[datetime.now(UTC)])
        )
        session.execute(
            insert(OAuthState).values(
                **tenant.identity,
                state_hash=tenant.user_id.encode(),
                code_verifier="v",
                return_to="/",
                expires_at=ago(-600),
            )
        )
        session.execute(
            insert(PendingGrant).values(
                **tenant.identity,
                grant_hash=tenant.user_id.encode(),
                id=f"hg_{tenant.user_id}",
                access_token="a",
                refresh_token="r",
                expires_in=1800,
                hub_id=HUB + 7,
                scopes=[],
                return_to="/",
                expires_at=ago(-600),
            )
        )
        session.execute(insert(Account).values(hub_id=HUB + (tenant.user_id != "user_1")))
        session.execute(
            insert(Tally).values(**tenant.identity, quarter=ago(9e6), status="error", calls=1)
        )
        session.execute(insert(Latency).values(**tenant.identity, quarter=ago(9e6), bin=4, calls=1))
        day = func.current_date()
        lists = {"quarters": [1], "calls": [1]}
        session.execute(
            insert(DailyTally).values(**tenant.identity, day=day, status="error", **lists)
        )
        session.execute(insert(DailyLatency).values(**tenant.identity, day=day, bin=1, **lists))
        session.execute(insert(SessionEnd).values(**tenant.identity, ended_at=ago(600)))
        record_deed(
            session,
            Deed(
                user_id=tenant.user_id,
                workspace_id=tenant.workspace_id,
                actor=Actor.USER,
                action=Action.CONNECTED,
            ),
        )
    assert waiting in calls


def rows_of(tenant: Tenant) -> dict[str, int]:
    """How many rows of the tenant's each table has that names one."""
    with tenant.database.begin() as session:
        return {
            name: session.execute(
                text(
                    f"SELECT count(*) FROM {name}"  # noqa: S608 - our own tables
                    " WHERE user_id = :user_id AND workspace_id = :workspace_id"
                ),
                tenant.identity,
            ).scalar_one()
            for name, table in Base.metadata.tables.items()
            if "user_id" in table.columns
        }


def dump(database: Database) -> str:
    with database.begin() as session:
        return "\n".join(
            str(session.execute(text(f"SELECT t::text FROM {table} t")).scalars().all())  # noqa: S608
            for table in Base.metadata.tables
        )


def test_nothing_of_the_tenant_is_left_but_the_record_and_the_revocations(
    tenant: Tenant, erase: Erase
) -> None:
    fill(tenant)
    assert all(rows_of(tenant).values()), rows_of(tenant)

    result = erase(*MINE, "--yes")

    assert result.exit_code == 0, result.output
    left = {name: count for name, count in rows_of(tenant).items() if count}
    assert left == {"hubspot_audit": 1, "hubspot_session_ends": 1}
    with tenant.database.begin() as session:
        (entry,) = session.scalars(select(AuditEntry)).all()
        assert (entry.action, entry.actor, entry.address) == ("tenant_erased", "operator", None)
        assert entry.details == {
            "calls": 3,
            "contents": 3,
            "waiting": 2,
            "notes": 1,
            "audit_entries": 1,
            "is_connected": True,
        }
        assert {each.hub_id for each in session.scalars(select(Revocation))} == {HUB, HUB + 7}
        for table in (Account, Handover, Stray):
            assert session.scalars(select(table)).all() == []
    assert "Mildred" not in dump(tenant.database)
    line = json.loads(result.stderr.splitlines()[-1])
    assert (line["event"], line["user_id"], line["calls"]) == ("tenant_erased", "user_1", 3)


def test_others_keep_everything(tenant: Tenant, erase: Erase) -> None:
    neighbours = [Tenant(tenant.database, "user_2"), Tenant(tenant.database, "user_1")]
    neighbours[1].workspace_id = "ws_2"
    neighbours[1].identity["workspace_id"] = "ws_2"
    fill(neighbours[0])
    neighbours[1].store(2)
    before = [rows_of(each) for each in neighbours]
    tenant.store(2)
    erase(*MINE, "--yes")
    assert [rows_of(each) for each in neighbours] == before
    with tenant.database.begin() as session:
        known = find_connection(session, **neighbours[0].identity)
        assert known is not None
        assert known.state == CONNECTED


def test_account_that_another_tenant_has_too_is_neither_revoked_nor_forgotten(
    tenant: Tenant, erase: Erase
) -> None:
    neighbour = Tenant(tenant.database, "user_2")
    tenant.connect()
    neighbour.connect()
    (log_id,) = tenant.store()
    with tenant.database.begin() as session:
        session.execute(insert(Account).values(hub_id=HUB))
        session.execute(insert(Stray).values(hub_id=HUB, activity_id="n", log_id=log_id))
    erase(*MINE, "--yes")
    with tenant.database.begin() as session:
        assert session.scalars(select(Revocation)).all() == []
        assert session.get(Account, HUB) is not None
        # The neighbour's connection archives it.
        assert [each.activity_id for each in session.scalars(select(Stray))] == ["n"]


def test_dry_run_says_what_there_is_and_changes_nothing(tenant: Tenant, erase: Erase) -> None:
    fill(tenant)
    before = dump(tenant.database)
    result = erase(*MINE, "--dry-run")
    assert result.stdout.splitlines() == [
        "Calls: 3, with contents: 3, waiting: 2.",
        "Notes in HubSpot, which stay there: 1.",
        "Entries of the audit trail: 1.",
        "HubSpot is connected: it is disconnected first, and its tokens revoked.",
    ]
    assert dump(tenant.database) == before


def test_nothing_is_deleted_without_confirmation(tenant: Tenant, erase: Erase) -> None:
    tenant.store()
    assert erase(*MINE, input="n\n").exit_code == 1
    assert rows_of(tenant)["hubspot_sync_logs"] == 1
    assert erase(*MINE, input="y\n").exit_code == 0
    assert rows_of(tenant)["hubspot_sync_logs"] == 0


@pytest.mark.usefixtures("tenant")
def test_tenant_that_nobody_knows_leaves_no_record(tenant: Tenant, erase: Erase) -> None:
    result = erase(*MINE, "--yes")
    assert result.stdout == "Nothing is stored of this user in this workspace.\n"
    assert sum(rows_of(tenant).values()) == 0


def test_erasing_in_pages_goes_past_what_others_have_locked(
    tenant: Tenant, erase: Erase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant_erasure.delete_calls, "__kwdefaults__", {"most": 2})
    monkeypatch.setattr(tenant_erasure, "ROWS_AT_ONCE", 1)
    fill(tenant)
    locked, *_ = tenant.store(5)
    with tenant.database.begin() as session:
        session.execute(
            select(SyncLog.id).where(SyncLog.id == locked).with_for_update(key_share=True)
        )
        erasing = threading.Thread(target=erase, args=(*MINE, "--yes"))
        erasing.start()
        wait_for(lambda: rows_of(tenant)["hubspot_sync_logs"] == 1)
    erasing.join(GUARD_SECONDS)
    left = {name: count for name, count in rows_of(tenant).items() if count}
    assert left == {"hubspot_audit": 1, "hubspot_session_ends": 1}


def test_worker_that_holds_the_calls_changes_nothing_afterwards(
    tenant: Tenant, erase: Erase
) -> None:
    tenant.connect()
    tenant.store(3)
    first, second, third = tenant.claim()
    connection = tenant.connection()
    erase(*MINE, "--yes")
    with tenant.database.begin() as session:
        marked = mark_calls(
            session,
            [Mark(first, "7", None)],
            connection_id=connection.id,
            generation=connection.generation,
            hub_id=HUB,
        )
        assert marked == frozenset()
    tenant.record(written(first))
    tenant.record(Outcome(second.id, second.fence, "error", "network_error", "x", next_in=5))
    doubt: dict[str, Any] = {"keeps_mark": True, "hub_id": HUB, "contact_id": "7"}
    tenant.record(Outcome(third.id, third.fence, "pending", next_in=5, **doubt))
    left = {name: count for name, count in rows_of(tenant).items() if count}
    assert left == {"hubspot_audit": 1, "hubspot_session_ends": 1}
    with tenant.database.begin() as session:
        assert session.scalars(select(Stray)).all() == []


def test_late_write_of_a_call_that_is_being_erased_waits_and_is_dropped(
    tenant: Tenant,
) -> None:
    (log_id,) = tenant.store()
    answered: list[BaseException | None] = []

    def remember() -> None:
        try:
            with tenant.database.begin() as session:
                add_unanswered_writes(session, [UnansweredWrite(log_id, HUB, "7")])
            answered.append(None)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            answered.append(error)

    with tenant.database.begin() as session:
        tenant_erasure.delete_calls(
            session, user_id=tenant.user_id, workspace_id=tenant.workspace_id
        )
        remembering = threading.Thread(target=remember)
        remembering.start()
        wait_for(lambda: _is_somebody_waiting(tenant.database))
    remembering.join(GUARD_SECONDS)
    assert answered == [None]


def test_call_that_is_delivered_again_afterwards_is_a_new_one(tenant: Tenant, erase: Erase) -> None:
    (log_id,) = tenant.store()
    call_id = tenant.log(log_id).call_id
    erase(*MINE, "--yes")
    with tenant.database.begin() as session:
        again = store_calls(
            session,
            [
                NewCall(
                    user_id=tenant.user_id,
                    workspace_id=tenant.workspace_id,
                    call_id=call_id,
                    phone_number=None,
                    payload={},
                )
            ],
            lane=Lane.LIVE,
        )[0]
    assert not again.is_duplicate
    assert again.log_id != log_id


def test_connection_made_while_the_old_one_is_erased_is_a_new_one(tenant: Tenant) -> None:
    tenant.connect()
    made: list[str] = []

    def ensure() -> None:
        with tenant.database.begin() as session:
            made.append(ensure_connection(session, **tenant.identity).id)

    with tenant.database.begin() as session:
        old = ensure_connection(session, **tenant.identity).id
        ensuring = threading.Thread(target=ensure)
        ensuring.start()
        wait_for(lambda: _is_somebody_waiting(tenant.database))
        rows = tenant_erasure.count_rows(session, **tenant.identity)
        tenant_erasure.finish(
            session, rows, user_id=tenant.user_id, workspace_id=tenant.workspace_id
        )
    ensuring.join(GUARD_SECONDS)
    assert made
    assert made != [old]


def test_writes_under_way_are_waited_for(
    tenant: Tenant, erase: Erase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erase_tenant, "LONGEST_WAIT_S", 60)
    tenant.connect()
    (log_id,) = tenant.store()
    tenant.mark(tenant.claim())
    tenant.change([log_id], last_write_at=ago(-60))  # so young that it stays so
    erasing = threading.Thread(target=erase, args=(*MINE, "--yes"))
    erasing.start()
    wait_for(lambda: _state(tenant) == "disconnected")
    assert rows_of(tenant)["hubspot_sync_logs"] == 1
    with tenant.database.begin() as session:
        session.execute(update(SyncLog).filter_by(id=log_id).values(last_write_at=ago(600)))
    erasing.join(GUARD_SECONDS)
    assert rows_of(tenant)["hubspot_sync_logs"] == 0


def _state(tenant: Tenant) -> str | None:
    with tenant.database.begin() as session:
        known = find_connection(session, **tenant.identity)
        return known.state if known else None


def _is_somebody_waiting(database: Database) -> bool:
    with database.begin() as session:
        return bool(
            session.execute(
                text(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
            ).scalar_one()
        )
