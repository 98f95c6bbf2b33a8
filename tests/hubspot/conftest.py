from collections.abc import Iterator
from secrets import token_hex
from typing import Final

import pytest
import requests

from shared.hubspot.client import HubSpotClient
from shared.hubspot.oauth import HubSpotOAuth
from shared.hubspot.transport import build_session
from tests.hubspot.scripted import ScriptedServer, serving

TOKEN = f"access-{token_hex(8)}"
CLIENT_SECRET = f"secret-{token_hex(8)}"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with serving(ScriptedServer()) as server:
        yield server


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with build_session(pool_size=4) as session:
        session.trust_env = False
        yield session


@pytest.fixture
def client(server: ScriptedServer, session: requests.Session) -> HubSpotClient:
    return client_at(server.url, session)


@pytest.fixture
def oauth(server: ScriptedServer, session: requests.Session) -> HubSpotOAuth:
    return oauth_at(server.url, session)


# To connect and to read, in seconds: an answer that comes is waited for on the slowest machine.
PATIENT: Final = (60.0, 60.0)
UNANSWERED: Final = (3.0, 0.3)
UNCONNECTED: Final = (0.3, 60.0)


def client_at(
    url: str, session: requests.Session, timeout: tuple[float, float] = PATIENT
) -> HubSpotClient:
    return HubSpotClient(TOKEN, api_url=url, session=session, timeout=timeout)


def oauth_at(
    url: str, session: requests.Session, timeout: tuple[float, float] = PATIENT
) -> HubSpotOAuth:
    return HubSpotOAuth(
        client_id="client-1",
        client_secret=CLIENT_SECRET,
        api_url=url,
        app_url="https://app.hubspot.example",
        redirect_uri="https://calls.example/api/hubspot/oauth/callback",
        scopes=("oauth", "crm.objects.contacts.read"),
        session=session,
        timeout=timeout,
    )
