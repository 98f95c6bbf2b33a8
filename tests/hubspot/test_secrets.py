"""Tokens and secrets are planted wherever they pass through, and looked for afterwards.

They are drawn at random because a traceback quotes source lines, this file's included.
"""

import logging
import traceback
from collections.abc import Callable
from secrets import token_hex

import pytest
import requests

from shared.hubspot.client import HubSpotClient
from shared.hubspot.errors import HubSpotError, TokenRejectedError
from shared.hubspot.models import NOTES, NewEngagement, TokenGrant
from shared.hubspot.oauth import HubSpotOAuth
from tests.hubspot.conftest import CLIENT_SECRET, PATIENT, TOKEN, UNANSWERED, client_at, oauth_at
from tests.hubspot.scripted import Broken, Reply, ScriptedServer, Step, flood, hang, reset

CODE, VERIFIER, REFRESH_TOKEN = token_hex(8), token_hex(8), token_hex(8)
SECRETS = (TOKEN, CLIENT_SECRET, CODE, VERIFIER, REFRESH_TOKEN)
ECHO = " ".join(SECRETS)

STEPS: dict[str, Step] = {
    "reset": reset,
    "timeout": hang,
    "too large": flood,
    "not HTTP": Broken(ECHO.encode()),
    "HTML": Reply(502, ECHO.encode()),
    "not JSON": Reply(200, ECHO.encode()),
    "shapeless": Reply(200, {"access_token": ECHO, "results": ECHO}),
    "echo in message": Reply(400, {"status": "BAD_REFRESH_TOKEN", "message": ECHO}),
    "echo in description": Reply(400, {"error": "invalid_grant", "error_description": ECHO}),
}
CALLS: dict[str, Callable[[HubSpotClient, HubSpotOAuth], object]] = {
    "create": lambda client, _: client.create_engagements(
        NOTES, [NewEngagement("hs_a", "1", 0, {"hs_note_body": "body"})]
    ),
    "exchange": lambda _, oauth: oauth.exchange_code(CODE, code_verifier=VERIFIER),
    "refresh": lambda _, oauth: oauth.refresh(REFRESH_TOKEN),
    "introspect": lambda _, oauth: oauth.introspect(REFRESH_TOKEN),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("call", CALLS)
def test_failure_shows_no_secret_of_its_request(
    call: str,
    step: str,
    server: ScriptedServer,
    session: requests.Session,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    server.then(STEPS[step])
    timeout = UNANSWERED if STEPS[step] is hang else PATIENT
    client, oauth = client_at(server.url, session, timeout), oauth_at(server.url, session, timeout)
    with pytest.raises(HubSpotError) as caught:
        CALLS[call](client, oauth)
    sent = f"{server.received[0].headers}{server.received[0].body.decode()}"
    shown = "".join(
        [*traceback.format_exception(caught.value), repr(vars(caught.value)), caplog.text]
    )
    planted = [secret for secret in SECRETS if secret in sent]
    assert planted
    assert not [secret for secret in planted if secret in shown]


def test_refusal_of_one_note_shows_no_token(server: ScriptedServer, client: HubSpotClient) -> None:
    context = {"objectWriteTraceId": ["hs_a"]}
    error = {"category": "VALIDATION_ERROR", "message": f"Bad {TOKEN}", "context": context}
    server.then(Reply(207, {"results": [], "errors": [error]}))
    answer = client.create_engagements(
        NOTES, [NewEngagement("hs_a", "1", 0, {"hs_note_body": "body"})]
    )
    assert answer.rejected["hs_a"].message == "Bad [hidden]"


def test_malformed_token_is_not_sent_and_not_quoted(
    server: ScriptedServer, session: requests.Session
) -> None:
    client = HubSpotClient(f"{TOKEN}\r\nX-Other: 1", api_url=server.url, session=session)
    with pytest.raises(TokenRejectedError) as caught:
        client.account_details()
    assert caught.value.definite
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    assert server.received == []


def test_nothing_that_holds_a_secret_shows_it(client: HubSpotClient, oauth: HubSpotOAuth) -> None:
    grant = TokenGrant(TOKEN, REFRESH_TOKEN, 1800, 1, ())
    shown = f"{client!r}{oauth!r}{grant!r}"
    assert not [secret for secret in SECRETS if secret in shown]
    assert "http://127.0.0.1" in shown
    assert "client-1" in shown
