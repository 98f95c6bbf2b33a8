"""The client and the sandbox, which were written apart, understand each other."""

import base64
import dataclasses
import hashlib
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from sandbox.app import create_app
from sandbox.client import SandboxControl
from sandbox.config import OAuthApp
from sandbox.server import run_in_thread
from shared.hubspot.client import HubSpotClient
from shared.hubspot.errors import (
    AuthorizationCodeError,
    ConfigurationError,
    GrantRevokedError,
    MissingScopesError,
    TokenRejectedError,
)
from shared.hubspot.models import NOTES, ContactFilter, ContactSearch, NewEngagement, TokenGrant
from shared.hubspot.oauth import HubSpotOAuth

VERIFIER = "v" * 43


@dataclasses.dataclass(frozen=True)
class Connected:
    """A connected account: what it takes to work with it as our service does."""

    control: SandboxControl
    hub_id: int
    oauth: HubSpotOAuth
    code: str
    grant: TokenGrant
    client: HubSpotClient


def app_at(url: str, session: requests.Session, app: OAuthApp) -> HubSpotOAuth:
    return HubSpotOAuth(
        client_id=app.client_id,
        client_secret=app.client_secret,
        api_url=url,
        app_url=url,
        redirect_uri=app.redirect_uris[0],
        scopes=app.scopes,
        session=session,
    )


@pytest.fixture
def connected(session: requests.Session) -> Iterator[Connected]:
    with run_in_thread(create_app()) as server, SandboxControl(server.url) as control:
        hub_id = control.add_account(42)
        oauth = app_at(server.url, session, OAuthApp())
        digest = hashlib.sha256(VERIFIER.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        callback = control.approve(oauth.authorize_url(state="s", code_challenge=challenge), hub_id)
        code = parse_qs(urlsplit(callback).query)["code"][0]
        grant = oauth.exchange_code(code, code_verifier=VERIFIER)
        client = HubSpotClient(grant.access_token, api_url=server.url, session=session)
        yield Connected(control, hub_id, oauth, code, grant, client)


def new_notes(*contact_ids: str) -> list[NewEngagement]:
    now = time.time_ns() // 1_000_000
    return [
        NewEngagement(f"hs_{number}", contact_id, now, {"hs_note_body": f"<p>{number}</p>"})
        for number, contact_id in enumerate(contact_ids)
    ]


def test_account_is_connected_and_described(connected: Connected) -> None:
    assert connected.grant.hub_id == connected.hub_id
    assert set(connected.grant.scopes) == set(OAuthApp().scopes)
    assert connected.client.account_details().hub_id == connected.hub_id
    details = connected.oauth.introspect(connected.grant.access_token)
    assert details is not None
    assert details["hub_id"] == connected.hub_id


def test_code_is_good_once(connected: Connected) -> None:
    with pytest.raises(AuthorizationCodeError):
        connected.oauth.exchange_code(connected.code, code_verifier=VERIFIER)


def test_contact_is_found_by_national_digits(connected: Connected) -> None:
    [wanted, _] = connected.control.add_contacts(
        connected.hub_id, [{"phone": "+1 (202) 555-0123"}, {"phone": "+1 202 555 0199"}]
    )
    found = connected.client.search_contacts(
        ContactSearch(
            filters=(ContactFilter("hs_searchable_calculated_phone_number", ("2025550123",)),),
            properties=("phone",),
            sort_by="lastmodifieddate",
            descending=True,
        )
    )
    assert found.total == 1
    assert [contact.id for contact in found.contacts] == [wanted]
    assert found.contacts[0].properties["phone"] == "+1 (202) 555-0123"


def test_notes_are_written_listed_read_searched_and_archived(connected: Connected) -> None:
    client = connected.client
    busy, quiet = connected.control.add_contacts(connected.hub_id, [{}, {}])
    connected.control.set_behaviour(association_page_size=1)
    answer = client.create_engagements(NOTES, new_notes(busy, busy))
    assert answer.created.keys() == {"hs_0", "hs_1"}
    listed = client.engagements_of_contacts(NOTES, [busy, quiet])
    assert set(listed.ids[busy]) == set(answer.created.values())
    assert listed.ids[quiet] == ()
    first = answer.created["hs_0"]
    assert (
        client.read_engagements(NOTES, list(answer.created.values()))[first].properties[
            "hs_note_body"
        ]
        == "<p>0</p>"
    )
    assert len(client.search_engagements(NOTES, busy, created_from_ms=0)) == 2
    client.archive_engagement(NOTES, first)
    client.archive_engagement(NOTES, first)
    assert first not in client.read_engagements(NOTES, [first])


def test_one_note_for_an_unknown_contact_does_not_fail_its_neighbour(
    connected: Connected,
) -> None:
    [contact] = connected.control.add_contacts(connected.hub_id, [{}])
    answer = connected.client.create_engagements(NOTES, new_notes(contact, "987654321"))
    assert answer.created.keys() == {"hs_0"}
    assert answer.rejected.keys() == {"hs_1"}


def test_contact_is_followed_through_a_merge_and_gone_when_archived(
    connected: Connected,
) -> None:
    primary, merged = connected.control.add_contacts(connected.hub_id, [{}, {}])
    connected.control.merge_contacts(connected.hub_id, primary_id=primary, merged_id=merged)
    survivor = connected.client.read_contact(merged)
    assert survivor is not None
    assert survivor.id != merged
    connected.control.archive_contact(connected.hub_id, survivor.id)
    assert connected.client.read_contact(survivor.id) is None


def test_expired_token_is_rejected_and_refreshed(connected: Connected) -> None:
    connected.control.expire_tokens()
    with pytest.raises(TokenRejectedError):
        connected.client.account_details()
    assert connected.grant.refresh_token is not None
    refreshed = connected.oauth.refresh(connected.grant.refresh_token)
    assert refreshed.access_token != connected.grant.access_token


def test_lost_scope_is_missing(connected: Connected) -> None:
    connected.control.set_scopes(connected.hub_id, ["oauth"])
    with pytest.raises(MissingScopesError):
        connected.client.create_engagements(NOTES, new_notes("1"))


def test_revoked_grant_cannot_be_refreshed_nor_fails_to_be_revoked_again(
    connected: Connected,
) -> None:
    assert connected.grant.refresh_token is not None
    connected.client.uninstall()
    connected.oauth.revoke(connected.grant.refresh_token)
    with pytest.raises(GrantRevokedError):
        connected.oauth.refresh(connected.grant.refresh_token)
    assert connected.oauth.introspect(connected.grant.refresh_token, kind="refresh_token") is None


def test_wrong_secret_is_ours_and_says_nothing_about_the_grant(
    connected: Connected, session: requests.Session
) -> None:
    wrong = app_at(connected.control.base_url, session, OAuthApp(client_secret="another"))
    assert connected.grant.refresh_token is not None
    with pytest.raises(ConfigurationError):
        wrong.refresh(connected.grant.refresh_token)
