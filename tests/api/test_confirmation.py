"""The `confirm` binding: nothing is connected before a person said whose account goes where."""

import html
import re
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from api.connecting import authorizations
from sandbox.client import SandboxControl
from shared.connections.lifecycle import connect
from shared.database.engines import Database
from shared.models import DecidedGrant, PendingGrant
from shared.privacy.retention import delete_expired_states
from tests.api.asking import PUBLIC_URL, Asker, WakeRecorder, landing
from tests.api.conftest import ClientFactory
from tests.queue.waiting import wait_until_blocked

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


@pytest.mark.parametrize("first", ["connect", "cancel"])
@pytest.mark.parametrize("second", ["connect", "cancel"])
def test_second_click_lands_where_the_first_did_and_does_nothing(
    question: TestResponse, asker: Asker, waker: WakeRecorder, first: str, second: str
) -> None:
    grant = grant_in(question)
    landed = decide(asker, grant, first)
    status, woken = asker.status(), len(waker.woken)

    again = decide(asker, grant, second)

    assert again.location == landed.location
    assert landing(again)["hubspot"] == ("connected" if first == "connect" else "error")
    assert (asker.status(), len(waker.woken)) == (status, woken)


def test_second_click_waits_for_the_first(
    question: TestResponse, asker: Asker, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant = grant_in(question)
    with ThreadPoolExecutor(1) as pool:

        def click_again(*args: Any, **grant_of: Any) -> str:
            second = Asker(asker.client.application.test_client())
            clicks.append(pool.submit(decide, second, grant))
            wait_until_blocked(database)
            return connect(*args, **grant_of)

        clicks: list[Future[TestResponse]] = []
        monkeypatch.setattr(authorizations, "connect", click_again)
        landed = decide(asker, grant)
        (click,) = clicks
        assert click.result().location == landed.location
    assert landing(landed)["hubspot"] == "connected"


def test_what_was_decided_is_forgotten_in_time(
    question: TestResponse, asker: Asker, database: Database
) -> None:
    grant = grant_in(question)
    decide(asker, grant)
    with database.begin() as session:
        session.execute(update(DecidedGrant).values(expires_at=func.now()))
    assert landing(decide(asker, grant))["code"] == "invalid_state"
    with database.begin() as session:
        delete_expired_states(session)
        assert session.scalars(select(DecidedGrant)).all() == []


def test_cancelling_connects_nothing_and_gives_the_grant_up(
    question: TestResponse, asker: Asker, database: Database
) -> None:
    told = landing(decide(asker, grant_in(question), "cancel"))
    assert told["code"] == "cancelled"
    assert asker.status()["connected"] is False
    with database.begin() as session:
        (given_up,) = session.query(PendingGrant).filter_by(**asker.tenant)
        assert given_up.expires_at <= datetime.now(UTC)


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
