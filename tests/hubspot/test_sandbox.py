"""The client and the sandbox, which were written apart, understand each other."""

import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from local.hubspot.app import create_app
from local.hubspot.client import SandboxControl
from local.hubspot.config import OAuthApp
from local.hubspot.server import run_in_thread
from shared.hubspot.client import HubSpotClient
from shared.hubspot.errors import (
    AuthorizationCodeError,
    ConfigurationError,
    GrantRevokedError,
    NotFoundError,
    RejectedError,
    TokenRejectedError,
)
from shared.hubspot.models import ContactFilter, ContactSearch, NewNote, TokenGrant
from shared.hubspot.oauth import HubSpotOAuth

APP = OAuthApp()
# "verifier" and its S256 challenge
VERIFIER = "verifier-verifier-verifier-verifier-verifier"


@pytest.fixture
def sandbox() -> Iterator[SandboxControl]:
    with run_in_thread(create_app()) as server, SandboxControl(server.url) as control:
        yield control
