"""Connected accounts in a HubSpot sandbox that is served for as long as the context lasts."""

import base64
import hashlib
import itertools
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import requests

from sandbox.app import create_app
from sandbox.client import SandboxControl
from sandbox.config import OAuthApp
from sandbox.phones import CALCULATED_PROPERTIES
from sandbox.server import run_in_thread
from shared.hubspot.client import HubSpotClient
from shared.hubspot.oauth import HubSpotOAuth
from shared.hubspot.transport import build_session

_APP = OAuthApp()


@dataclass(frozen=True, slots=True)
class ConnectedAccount:
    """An account of the sandbox, and HubSpot's API as a connection to it sees it."""

    control: SandboxControl
    hub_id: int
    client: HubSpotClient

    def add_contacts(self, contacts: Sequence[dict[str, str]]) -> list[str]:
        """Create contacts in this order, the first being the oldest; return their ids."""
        return self.control.add_contacts(self.hub_id, contacts)


@dataclass(frozen=True, slots=True)
class AccountFactory:
    control: SandboxControl
    session: requests.Session

    def open(self, default_country: str, *, lacks_calculated: bool = False) -> ConnectedAccount:
        """Open an account and connect to it as its owner would."""
        hub_id = self.control.add_account(
            default_country=default_country,
            hidden_properties=sorted(CALCULATED_PROPERTIES) if lacks_calculated else (),
        )
        client = HubSpotClient(
            self._connect(hub_id), api_url=self.control.base_url, session=self.session
        )
        return ConnectedAccount(self.control, hub_id, client)

    def _connect(self, hub_id: int) -> str:
        oauth = HubSpotOAuth(
            client_id=_APP.client_id,
            client_secret=_APP.client_secret,
            api_url=self.control.base_url,
            app_url=self.control.base_url,
            redirect_uri=_APP.redirect_uris[0],
            scopes=_APP.scopes,
            session=self.session,
        )
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        asked = oauth.authorize_url(state="matching", code_challenge=challenge)
        answered = parse_qs(urlsplit(self.control.approve(asked, hub_id)).query)
        return oauth.exchange_code(answered["code"][0], code_verifier=verifier).access_token


@contextmanager
def serve_accounts() -> Iterator[AccountFactory]:
    """Serve a sandbox without rate limits, which are not what matching is about.

    Its clock gains a millisecond whenever it is read, so no two contacts are of the same age.
    """
    milliseconds = itertools.count(1_790_000_000_000)
    with (
        run_in_thread(create_app(now=lambda: next(milliseconds) / 1000)) as server,
        SandboxControl(server.url) as control,
        build_session(pool_size=1) as session,
    ):
        control.set_behaviour(enforces_limits=False)
        yield AccountFactory(control, session)
