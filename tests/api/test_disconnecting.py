"""After a disconnect has answered no note is begun any more."""

import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from api.connecting import connection
from shared.database.engines import Database
from shared.models import SyncLog
from shared.queue import marks
from tests.api.asking import Asker
from tests.api.rows import add_connection, add_log
from tests.local.waiting import GUARD_SECONDS, wait_for

HELD: dict[str, Any] = {"claimed_by": "a-round", "claim_size": 1, "hub_id": 1, "contact_id": "7"}


def in_a_minute() -> datetime:
    """A mark so young that it does not grow old while a test runs."""
    return datetime.now(UTC) + timedelta(minutes=1)


def mark(database: Database, asker: Asker, **columns: Any) -> str:
    add_connection(database, asker, hub_id=secrets.randbelow(10**9))
    until = in_a_minute()
    return add_log(database, asker, **HELD, claimed_until=until, last_write_at=until, **columns)


def test_disconnect_answers_once_the_writes_under_way_are_settled(
    asker: Asker, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LONGEST_WAIT_S", 60)
    looked = threading.Semaphore(0)
    ask = marks.may_write

    def look(*args: Any, **tenant: Any) -> bool:
        is_writing = ask(*args, **tenant)
        looked.release()
        return is_writing

    monkeypatch.setattr(connection, "may_write", look)
    log_id = mark(database, asker)
    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(asker.ask, "DELETE", "disconnect")
        for _ in range(3):
            assert looked.acquire(timeout=GUARD_SECONDS)
        assert not answered.done()
        assert asker.status()["state"] == "disconnected"
        with database.begin() as session:
            session.execute(
                update(SyncLog)
                .filter_by(id=log_id)
                .values(claimed_by=None, claimed_until=None, claim_size=None, last_write_at=None)
            )
        assert answered.result().status_code == 200


def test_second_disconnect_waits_too(
    asker: Asker, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LONGEST_WAIT_S", 0.2)
    mark(database, asker)
    asker.ask("DELETE", "disconnect")
    asked: list[bool] = []
    ask = marks.may_write

    def look(*args: Any, **tenant: Any) -> bool:
        asked.append(ask(*args, **tenant))
        return asked[-1]

    monkeypatch.setattr(connection, "may_write", look)
    assert asker.ask("DELETE", "disconnect").status_code == 200
    assert asked
    assert all(asked)


def test_wait_for_writes_is_bounded(
    asker: Asker, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LONGEST_WAIT_S", 0.2)
    mark(database, asker)
    assert asker.ask("DELETE", "disconnect").status_code == 200
    assert asker.status()["state"] == "disconnected"


def test_writes_of_others_are_not_waited_for(
    asker: Asker, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark(database, Asker(asker.client))
    add_connection(database, asker, hub_id=secrets.randbelow(10**9))
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    assert asker.ask("DELETE", "disconnect").status_code == 200
    wait_for(lambda: asker.status()["state"] == "disconnected")
    assert waited == []
