from collections.abc import Iterator
from secrets import token_hex

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


def client_at(url: str, session: requests.Session) -> HubSpotClient:
    return HubSpotClient(TOKEN, api_url=url, session=session, timeout=(2.0, 2.0))


def oauth_at(url: str, session: requests.Session) -> HubSpotOAuth:
    return HubSpotOAuth(
        client_id="client-1",
        client_secret=CLIENT_SECRET,
        api_url=url,
        app_url="https://app.hubspot.example",
        redirect_uri="https://calls.example/api/hubspot/oauth/callback",
        scopes=("oauth", "crm.objects.contacts.read"),
        session=session,
        timeout=(2.0, 2.0),
    )
