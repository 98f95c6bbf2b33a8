"""Watching a pool ask its connections whether they live."""

import pytest
from sqlalchemy.engine.interfaces import DBAPIConnection

from shared.database.engines import Database


def list_pings(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """A list that grows with each ping from now on."""
    pinged: list[object] = []
    ping = database.engine.dialect.do_ping

    def do_ping(connection: DBAPIConnection) -> bool:
        pinged.append(connection)
        return ping(connection)

    monkeypatch.setattr(database.engine.dialect, "do_ping", do_ping)
    return pinged
