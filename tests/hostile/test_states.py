"""OAuth states that are forged, guessed, replayed, or carried over to somebody else."""

import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.client import SandboxControl
from tests.api.asking import DASHBOARD_URL, PUBLIC_URL, Asker, WakeRecorder, landing
from tests.api.conftest import ClientFactory
from tests.api.test_confirmation import decide, grant_in

CALLBACK = f"{PUBLIC_URL}/api/hubspot/oauth/callback"
ANY_TEXT = st.text(st.characters(codec="utf-8"))
fuzzed = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def hub_id(sandbox: SandboxControl) -> int:
    return sandbox.add_account()


def bare(client: FlaskClient) -> FlaskClient:
    """A client that sends the header `Cookie` as it is given."""
    return client.application.test_client(use_cookies=False)


def state_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["state"][0]


@fuzzed
@given(
    query=st.dictionaries(
        st.sampled_from(["state", "code", "error", "error_description", "iss", "user_id"])
        | ANY_TEXT,
        ANY_TEXT,
    ),
    cookie=st.text(st.characters(codec="latin-1", categories=["L", "N", "P", "S", "Zs"])),
)
def test_any_query_and_cookie_lead_back_to_the_dashboard(
    client: FlaskClient, query: dict[str, str], cookie: str
) -> None:
    answer = bare(client).get(
        "/api/hubspot/oauth/callback",
        query_string=urlencode(query),
        headers={"Cookie": f"__Host-callsync_browser={cookie}"},
        base_url=PUBLIC_URL,
    )
    assert answer.headers["Location"].startswith(DASHBOARD_URL)
    assert landing(answer)["code"] in {"invalid_state", "access_denied", "installed_in_hubspot"}


@fuzzed
@given(grant=ANY_TEXT, decision=ANY_TEXT)
def test_any_confirmation_leads_back_to_the_dashboard(
    client: FlaskClient, grant: str, decision: str
) -> None:
    for said in (decision, "connect"):
        answer = decide(Asker(client), grant, said)
        assert answer.headers["Location"].startswith(DASHBOARD_URL)
        assert landing(answer)["code"] == "invalid_state"


def test_guesses_near_a_state_neither_fit_nor_use_it_up(
    asker: Asker, sandbox: SandboxControl, hub_id: int
) -> None:
    url = sandbox.approve(asker.initiate(), hub_id)
    state = state_of(url)
    guesses = (
        *(state.swapcase(), state[:-1], state + "=", state + " ", " " + state, state + "\0"),
        *(state + "\u200b", f"{state},{state}", f"{state}' OR '1'='1", "%", "%_"),
    )
    for guess in guesses:
        forged = url.replace(f"state={state}", urlencode({"state": guess}))
        assert landing(asker.visit(forged))["code"] == "invalid_state"
    doubled = f"{url}&{urlencode({'state': 'forged'})}".replace(f"state={state}", "state=forged")
    assert landing(asker.visit(f"{doubled}&state={state}"))["code"] == "invalid_state"
    assert landing(asker.visit(url))["hubspot"] == "connected"


def test_caller_cannot_choose_whom_the_account_is_connected_to(
    asker: Asker, sandbox: SandboxControl, hub_id: int
) -> None:
    victim = Asker(asker.client)
    url = sandbox.approve(asker.initiate(**victim.tenant), hub_id)
    more = urlencode({**victim.tenant, "return_to": "https://evil.example/"})
    answer = asker.client.get(f"{url}&{more}", headers=victim.headers, base_url=PUBLIC_URL)
    assert answer.headers["Location"].startswith(DASHBOARD_URL)
    assert asker.status()["connected"] is True
    assert victim.status()["connected"] is False


@pytest.mark.parametrize("shared", ["user_id", "workspace_id"])
def test_state_of_another_user_or_workspace_connects_only_its_own(
    client: FlaskClient, sandbox: SandboxControl, hub_id: int, shared: str
) -> None:
    owner = Asker(client)
    stranger = Asker(client.application.test_client())
    setattr(stranger, shared, getattr(owner, shared))
    code = parse_qs(urlsplit(sandbox.approve(stranger.initiate(), hub_id)).query)["code"][0]
    crossed = f"{CALLBACK}?{urlencode({'state': state_of(owner.initiate()), 'code': code})}"

    assert landing(stranger.visit(crossed))["code"] == "browser_mismatch"
    assert landing(owner.visit(crossed))["code"] == "invalid_state"
    assert owner.status()["connected"] is False
    assert stranger.status()["connected"] is False


@pytest.mark.parametrize("cookie", ["", "x", "x" * 43, "\xff" * 43, '"quoted"'])
def test_state_needs_the_cookie_of_its_browser(
    client: FlaskClient, sandbox: SandboxControl, hub_id: int, cookie: str
) -> None:
    asker = Asker(client)
    url = sandbox.approve(asker.initiate(), hub_id)
    answer = bare(client).get(
        url, headers={"Cookie": f"__Host-callsync_browser={cookie}"}, base_url=PUBLIC_URL
    )
    assert landing(answer)["code"] == "browser_mismatch"
    assert asker.status()["connected"] is False


def test_cookie_that_somebody_planted_is_replaced(client: FlaskClient) -> None:
    for planted in ("known-to-the-attacker", "x" * 42, "x" * 44, "\xe9" * 43, ""):
        answer = bare(client).get(
            "/api/hubspot/oauth/initiate",
            headers={
                **Asker(client).headers,
                "Cookie": f"__Host-callsync_browser={planted}",
            },
            base_url=PUBLIC_URL,
        )
        key = re.match(r"__Host-callsync_browser=([\w-]{43});", answer.headers["Set-Cookie"])
        assert key is not None
        assert key[1] != planted


def test_of_many_replays_at_once_one_connects(
    asker: Asker, sandbox: SandboxControl, hub_id: int, waker: WakeRecorder
) -> None:
    url = sandbox.approve(asker.initiate(), hub_id)
    cookie = asker.client.get_cookie("__Host-callsync_browser", domain="calls.example.com")
    assert cookie is not None

    def replay(_: int) -> str:
        browser = Asker(asker.client.application.test_client())
        browser.client.set_cookie(cookie.key, cookie.value, domain="calls.example.com", secure=True)
        told = landing(browser.visit(url))
        return told.get("code", told["hubspot"])

    with ThreadPoolExecutor(8) as pool:
        told = sorted(pool.map(replay, range(8)))
    assert told == ["connected", *["invalid_state"] * 7]
    assert len(waker.woken) == 1


def test_of_many_confirmations_at_once_one_connects(
    make_client: ClientFactory, sandbox: SandboxControl, hub_id: int, waker: WakeRecorder
) -> None:
    asker = Asker(make_client(OAUTH_BINDING="confirm"))
    url = sandbox.approve(asker.initiate(), hub_id)
    grant = grant_in(asker.visit(url))
    assert landing(decide(asker, state_of(url)))["code"] == "invalid_state"

    def confirm(_: int) -> str:
        told = landing(decide(Asker(asker.client.application.test_client()), grant))
        return told.get("code", told["hubspot"])

    with ThreadPoolExecutor(8) as pool:
        told = sorted(pool.map(confirm, range(8)))
    # All learn what the one did.
    assert told == ["connected"] * 8
    assert len(waker.woken) == 1
