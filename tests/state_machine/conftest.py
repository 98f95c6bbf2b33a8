import base64
from collections.abc import Iterable, Iterator

import pytest

from shared.configuration.settings import WorkerSettings
from shared.connections.accounts import AccountState
from shared.queue.claims import ClaimedCall
from tests.state_machine.turns import SteppedTurn
from worker.resources import Resources, open_resources
from worker.rounds import sync
from worker.rounds.turn import Turn
from worker.rounds.writing import MatchedCall


@pytest.fixture(scope="module")
def resources(postgres_url: str, valkey_url: str) -> Iterator[Resources]:
    """A worker's, on real engines; HubSpot is asked for nothing through them."""
    settings = WorkerSettings.load(
        {
            "DATABASE_URL": postgres_url,
            "REDIS_URL": valkey_url,
            "HUBSPOT_CLIENT_ID": "an-app",
            "HUBSPOT_CLIENT_SECRET": "a-secret",
            "PUBLIC_URL": "http://localhost",
            "TOKEN_ENCRYPTION_KEYS": base64.b64encode(b"k" * 32).decode(),
        }
    )
    resources = open_resources(settings)
    yield resources
    resources.close()


@pytest.fixture(autouse=True)
def _scripted_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A history says what searches find; everything else in a turn is the worker's own."""

    def look_up(
        turn: Turn, calls: Iterable[ClaimedCall], _account: AccountState
    ) -> Iterator[list[MatchedCall]]:
        assert isinstance(turn, SteppedTurn)
        yield turn.look_up(list(calls))

    monkeypatch.setattr(sync, "match_calls", look_up)
