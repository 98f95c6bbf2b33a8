"""The `confirm` binding: nothing is connected before a person said whose account goes where."""

import html
import re
from datetime import UTC, datetime

import pytest
from werkzeug.test import TestResponse

from local.hubspot.client import SandboxControl
from shared.db import Database
from shared.models import PendingGrant
from tests.api.asking import PUBLIC_URL, Asker, WakeRecorder, landing
from tests.api.conftest import ClientFactory

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def asker(make_client: ClientFactory) -> Asker:
    return Asker(make_client(OAUTH_BINDING="confirm"))


@pytest.fixture
def hub_id(sandbox: SandboxControl) -> int:
    return sandbox.add_account()


@pytest.fixture
def question(asker: Asker, sandbox: SandboxControl, hub_id: int) -> TestResponse:
    """The page that asks, in a browser that never met us before."""
    url = sandbox.approve(asker.initiate(), hub_id)
    browser = Asker(asker.client.application.test_client())
    return browser.visit(url)


def grant_in(page: TestResponse) -> str:
    match = re.search(r'name="grant" value="([^"]+)"', page.text)
    assert match is not None
    return html.unescape(match[1])


def decide(
    asker: Asker, grant: str, decision: str = "connect", headers: dict[str, str] = SAME_ORIGIN
) -> TestResponse:
    return asker.client.post(
        "/api/hubspot/oauth/confirm",
        data={"grant": grant, "decision": decision},
        headers=headers,
        base_url=PUBLIC_URL,
    )


def test_page_names_account_workspace_and_user(
    question: TestResponse, asker: Asker, hub_id: int
) -> None:
    assert question.status_code == 200
    for part in (f"example.com ({hub_id})", asker.workspace_id, asker.user_id):
        assert part in question.text
    assert "frame-ancestors 'none'" in question.headers["Content-Security-Policy"]
    assert question.headers["Cache-Control"] == "no-store"
    assert asker.status()["connected"] is False


def test_names_cannot_inject_markup(
    make_client: ClientFactory, sandbox: SandboxControl, hub_id: int
) -> None:
    asker = Asker(make_client(OAUTH_BINDING="confirm"), user_id="<script>alert(1)</script>")
    page = asker.visit(sandbox.approve(asker.initiate(), hub_id))
    assert "<script>" not in page.text


def test_confirming_connects(
    question: TestResponse, asker: Asker, hub_id: int, waker: WakeRecorder
) -> None:
    assert landing(decide(asker, grant_in(question)))["hubspot"] == "connected"
    status = asker.status()
    assert (status["connected"], status["hubId"]) == (True, str(hub_id))
    assert len(waker.woken) == 1


def test_token_that_waited_expires_when_it_really_does(
    question: TestResponse, asker: Asker, database: Database
) -> None:
    with database.begin() as session:
        (pending,) = session.query(PendingGrant).filter_by(**asker.tenant)
        pending.expires_at = pending.expires_at.replace(microsecond=0)
        left = (pending.expires_at - datetime.now(UTC)).total_seconds()
        pending.expires_in = 700
    decide(asker, grant_in(question))
    expires_in = asker.status()["tokenExpiresAt"] / 1000 - datetime.now(UTC).timestamp()
    assert expires_in == pytest.approx(100 + left, abs=5)


def test_confirmation_works_once(question: TestResponse, asker: Asker) -> None:
    grant = grant_in(question)
    decide(asker, grant)
    assert landing(decide(asker, grant))["code"] == "invalid_state"


def test_cancelling_connects_nothing_and_gives_the_grant_up(
    question: TestResponse, asker: Asker, database: Database
) -> None:
    told = landing(decide(asker, grant_in(question), "cancel"))
    assert told["code"] == "cancelled"
    assert asker.status()["connected"] is False
    with database.begin() as session:
        (given_up,) = session.query(PendingGrant).filter_by(**asker.tenant)
        assert given_up.expires_at <= datetime.now(UTC)
    assert landing(decide(asker, grant_in(question)))["code"] == "invalid_state"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": PUBLIC_URL},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_other_sites_cannot_confirm(
    question: TestResponse, asker: Asker, headers: dict[str, str]
) -> None:
    assert landing(decide(asker, grant_in(question), headers=headers))["hubspot"] == "error"
    assert asker.status()["connected"] is False
    assert landing(decide(asker, grant_in(question)))["hubspot"] == "connected"


def test_browser_without_fetch_metadata_confirms_by_its_origin(
    question: TestResponse, asker: Asker
) -> None:
    answer = decide(asker, grant_in(question), headers={"Origin": PUBLIC_URL})
    assert landing(answer)["hubspot"] == "connected"


def test_no_cookie_is_set(asker: Asker) -> None:
    assert "Set-Cookie" not in asker.ask("GET", "oauth/initiate").headers
