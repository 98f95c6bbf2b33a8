"""The `auto` binding: who brings the right cookie connects at once, anybody else is asked."""

from typing import Any

import pytest

from sandbox.client import SandboxControl
from shared.connections.lifecycle import require_reconnect
from shared.database.engines import Database
from tests.api.asking import DASHBOARD_URL, PUBLIC_URL, Asker, landing
from tests.api.conftest import ClientFactory
from tests.api.rows import add_connection, connection_of
from tests.api.test_confirmation import decide, grant_in

DASHBOARD = "https://app.example.com"
OWN_PAGE = f"{PUBLIC_URL}/?hubspot-popup=1"


@pytest.fixture
def asker(make_client: ClientFactory) -> Asker:
    return Asker(make_client(OAUTH_BINDING="auto"))


@pytest.fixture
def hub_id(sandbox: SandboxControl) -> int:
    return sandbox.add_account()


def another_browser(asker: Asker) -> Asker:
    return Asker(asker.client.application.test_client(), asker.user_id, asker.workspace_id)


def initiate(asker: Asker, headers: dict[str, str], **query: str) -> str:
    """Start as a browser does that sends these headers; returns HubSpot's URL."""
    answer = asker.client.get(
        "/api/hubspot/oauth/initiate",
        headers={**asker.headers, **headers},
        query_string=query,
        base_url=PUBLIC_URL,
    )
    assert answer.json is not None
    return str(answer.json["authUrl"])


def test_browser_that_brings_the_cookie_connects_at_once(
    asker: Asker, sandbox: SandboxControl, hub_id: int
) -> None:
    assert landing(asker.visit(sandbox.approve(asker.initiate(), hub_id)))["hubspot"] == "connected"


def test_browser_without_the_cookie_is_asked_and_connects(
    asker: Asker, sandbox: SandboxControl, hub_id: int
) -> None:
    browser = another_browser(asker)
    page = browser.visit(sandbox.approve(asker.initiate(), hub_id))
    assert page.status_code == 200
    for part in (str(hub_id), asker.workspace_id, asker.user_id):
        assert part in page.text
    assert asker.status()["connected"] is False
    answer = decide(browser, grant_in(page))
    assert landing(answer)["hubspot"] == "connected"
    assert answer.headers["Location"].startswith(DASHBOARD_URL)
    assert asker.status()["hubId"] == str(hub_id)


def test_cookie_of_another_authorization_is_no_proof(
    asker: Asker, sandbox: SandboxControl, hub_id: int
) -> None:
    browser = another_browser(asker)
    browser.initiate()
    page = browser.visit(sandbox.approve(asker.initiate(), hub_id))
    assert page.status_code == 200
    assert asker.status()["connected"] is False


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
@pytest.mark.parametrize("return_to", [OWN_PAGE, DASHBOARD_URL])
def test_dashboard_of_another_origin_that_sends_cookies_is_not_asked(
    asker: Asker, sandbox: SandboxControl, hub_id: int, site: str, return_to: str
) -> None:
    headers = {"Sec-Fetch-Site": site, "Origin": DASHBOARD}
    url = initiate(asker, headers, return_to=return_to)
    assert landing(asker.visit(sandbox.approve(url, hub_id)))["hubspot"] == "connected"


@pytest.mark.parametrize("binding", ["auto", "cookie", "confirm"])
@pytest.mark.parametrize(
    "sent",
    [
        {"headers": {"Sec-Fetch-Site": "same-origin"}},
        {"headers": {"Sec-Fetch-Site": "same-origin"}, "return_to": DASHBOARD_URL},
        {"headers": {"Sec-Fetch-Site": "same-origin"}, "return_to": OWN_PAGE},
        # Browsers that send no fetch metadata, as all do over plain http.
        {"headers": {}, "return_to": OWN_PAGE},
        {"headers": {"Origin": PUBLIC_URL}, "return_to": OWN_PAGE},
    ],
)
def test_our_own_page_always_asks(
    make_client: ClientFactory,
    sandbox: SandboxControl,
    hub_id: int,
    binding: str,
    sent: dict[str, Any],
) -> None:
    asker = Asker(make_client(OAUTH_BINDING=binding))
    page = asker.visit(sandbox.approve(initiate(asker, **sent), hub_id))
    assert page.status_code == 200
    assert asker.status()["connected"] is False
    assert landing(decide(asker, grant_in(page)))["hubspot"] == "connected"


def test_empty_return_to_is_none(asker: Asker, sandbox: SandboxControl, hub_id: int) -> None:
    url = initiate(asker, {}, return_to="")
    assert landing(asker.visit(sandbox.approve(url, hub_id)))["hubspot"] == "connected"


def test_our_own_page_needs_the_cookie_too_where_one_is_needed(
    make_client: ClientFactory, sandbox: SandboxControl, hub_id: int
) -> None:
    asker = Asker(make_client(OAUTH_BINDING="cookie"))
    url = initiate(asker, {"Sec-Fetch-Site": "same-origin"})
    answer = another_browser(asker).visit(sandbox.approve(url, hub_id))
    assert landing(answer)["code"] == "browser_mismatch"


@pytest.mark.parametrize("is_refused", [False, True])
def test_page_names_the_account_that_would_be_replaced(
    asker: Asker, sandbox: SandboxControl, hub_id: int, database: Database, is_refused: bool
) -> None:
    connection_id = add_connection(database, asker, hub_id=987_654_321)
    if is_refused:
        version = connection_of(database, asker).token_version
        with database.begin() as session:
            assert require_reconnect(session, connection_id, token_version=version, reason="x")
    page = another_browser(asker).visit(sandbox.approve(asker.initiate(), hub_id))
    assert "It replaces HubSpot account <strong>987654321</strong>" in page.text


@pytest.mark.parametrize("before", ["nothing", "same", "disconnected"])
def test_page_says_nothing_of_replacing_when_nothing_is_replaced(
    asker: Asker, sandbox: SandboxControl, hub_id: int, database: Database, before: str
) -> None:
    if before != "nothing":
        add_connection(database, asker, hub_id=hub_id if before == "same" else 987_654_321)
    if before == "disconnected":
        asker.ask("DELETE", "disconnect")
    page = another_browser(asker).visit(sandbox.approve(asker.initiate(), hub_id))
    assert page.status_code == 200
    assert "replaces" not in page.text


def test_form_may_be_sent_by_browsers_without_fetch_metadata_and_lead_back(
    make_client: ClientFactory, sandbox: SandboxControl, hub_id: int
) -> None:
    asker = Asker(make_client(OAUTH_BINDING="auto", ALLOWED_ORIGINS="https://other.example"))
    page = another_browser(asker).visit(sandbox.approve(asker.initiate(), hub_id))
    # Under no-referrer browsers send a form with `Origin: null`.
    assert page.headers["Referrer-Policy"] == "same-origin"
    targets = page.headers["Content-Security-Policy"].partition("form-action ")[2].split()
    assert set(targets) == {"'self'", PUBLIC_URL, "https://other.example", DASHBOARD}
