"""Previews: what a worker would find and write, told without writing anything."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, update
from werkzeug.test import TestResponse

from api.context.services import EXTENSION
from local.engines import Engine, start_valkey
from sandbox.client import SandboxControl
from shared.connections.tokens import lock_token
from shared.database.engines import Database
from shared.models import Connection
from tests.api.asking import Asker, read
from tests.api.conftest import ClientFactory
from tests.api.rows import add_connection, connection_of, pause

CALLER = "+12025550123"


@dataclass
class Previewer:
    """A user who is connected to an account of the sandbox."""

    asker: Asker
    sandbox: SandboxControl
    hub_id: int

    def ask(self, phone_number: str = CALLER, **body: Any) -> TestResponse:
        return self.asker.ask("POST", "preview", json={"phone_number": phone_number, **body})

    def preview(self, phone_number: str = CALLER, **body: Any) -> Any:
        answer = self.ask(phone_number, **body)
        assert answer.status_code == 200, answer.text
        return answer.json

    def add_contact(self, **properties: str) -> str:
        return self.sandbox.add_contacts(self.hub_id, [properties])[0]


def connect(asker: Asker, sandbox: SandboxControl, **account: Any) -> Previewer:
    # What is known of an account outlives the sandbox's reset.
    hub_id = sandbox.add_account(secrets.randbelow(10**9), **account)
    asker.visit(sandbox.approve(asker.initiate(), hub_id))
    return Previewer(asker, sandbox, hub_id)


@pytest.fixture
def asker(make_client: ClientFactory, valkey_url: str) -> Asker:
    return Asker(make_client(REDIS_URL=valkey_url))


@pytest.fixture
def previewer(asker: Asker, sandbox: SandboxControl) -> Previewer:
    return connect(asker, sandbox)


def refusal(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, read(answer)["error"]["code"]


def test_contact_that_would_match_is_named(previewer: Previewer) -> None:
    contact_id = previewer.add_contact(
        firstname="Ada", lastname="Lovelace", email="ada@example.com", phone="(202) 555-0123"
    )
    found = previewer.preview("202 555 0123")
    assert found.pop("note_html").startswith("<p><strong>Call</strong>")
    assert found == {
        "success": True,
        "phone_number": CALLER,
        "region": "US",
        "contacts": [
            {
                "id": contact_id,
                "name": "Ada Lovelace",
                "email": "ada@example.com",
                "phone": "(202) 555-0123",
                "url": f"https://app.hubspot.com/contacts/{previewer.hub_id}/record/0-1/{contact_id}",
            }
        ],
        "contact_id": contact_id,
        "status": "success",
        "error_code": None,
        "message": None,
        "waits": None,
    }


def test_contacts_come_in_the_order_of_the_policy(previewer: Previewer) -> None:
    old, new = (previewer.add_contact(firstname=name, phone=CALLER) for name in ("Old", "New"))
    previewer.asker.ask("PATCH", "settings", json={"match_policy": "oldest"})
    oldest = previewer.preview()
    assert [each["id"] for each in oldest["contacts"]] == [old, new]
    assert oldest["contact_id"] == old

    previewer.asker.ask("PATCH", "settings", json={"match_policy": "skip"})
    skipped = previewer.preview()
    assert (skipped["status"], skipped["error_code"]) == ("skipped", "ambiguous_contact")
    assert skipped["contact_id"] is None
    assert {each["id"] for each in skipped["contacts"]} == {old, new}
    assert "2 HubSpot contacts have this phone number" in skipped["message"]


def test_contact_with_the_same_national_digits_abroad_is_not_shown(previewer: Previewer) -> None:
    previewer.add_contact(firstname="Elsewhere", phone="+49 2025550123")
    found = previewer.preview()
    assert (found["contacts"], found["error_code"]) == ([], "contact_not_found")
    assert found["message"] == "No HubSpot contact has this phone number."


def test_number_that_only_a_raw_spelling_finds_is_found(
    asker: Asker, sandbox: SandboxControl
) -> None:
    hidden = [
        "hs_searchable_calculated_phone_number",
        "hs_searchable_calculated_mobile_number",
        "hs_calculated_phone_number",
        "hs_calculated_mobile_number",
    ]
    previewer = connect(asker, sandbox, hidden_properties=hidden)
    contact_id = previewer.add_contact(phone="(202) 555-0123")
    found = previewer.preview()
    assert found["contact_id"] == contact_id
    assert found["contacts"][0]["name"] == f"Contact {contact_id}"


def test_number_among_other_words_is_found_by_the_thorough_look(previewer: Previewer) -> None:
    contact_id = previewer.add_contact(phone=f"+44 20 7946 0018 / {CALLER} (mobile)")
    assert previewer.preview()["contact_id"] == contact_id


def test_further_phone_properties_count_and_an_unknown_one_is_named(
    previewer: Previewer,
) -> None:
    contact_id = previewer.add_contact(fax="(202) 555-0123 (direct)")
    assert previewer.preview()["contact_id"] is None
    names = ["direct_line", "fax"]
    previewer.asker.ask("PATCH", "settings", json={"phone_properties": names})

    found = previewer.preview()

    assert found["contact_id"] == contact_id
    assert [each["id"] for each in found["contacts"]] == [contact_id]
    assert found["contacts"][0]["phone"] == "(202) 555-0123 (direct)"
    (warning,) = found["warnings"]
    assert warning["field"] == "phone_properties"
    assert "direct_line" in warning["message"]
    assert previewer.asker.get("settings")["warnings"] == found["warnings"]
    # Known from now on, without being tried again.
    before = len(previewer.sandbox.requests())
    assert previewer.preview()["warnings"] == found["warnings"]
    assert {each.status for each in previewer.sandbox.requests()[before:]} == {200}


@pytest.mark.parametrize(
    ("phone_number", "error_code"),
    [("anonymous", "no_phone_number"), ("sip:bob@example.com", "invalid_phone_number")],
)
def test_unreadable_number_is_told_without_asking_hubspot(
    previewer: Previewer, phone_number: str, error_code: str
) -> None:
    before = len(previewer.sandbox.requests())
    found = previewer.preview(phone_number)
    assert (found["status"], found["error_code"]) == ("skipped", error_code)
    assert (found["phone_number"], found["contacts"]) == (None, [])
    assert len(previewer.sandbox.requests()) == before


def test_note_is_rendered_from_the_call_as_text(previewer: Previewer) -> None:
    call = {"direction": "inbound", "summary": "<b>Demo</b>", "from_number": CALLER}
    html = previewer.preview(call=call)["note_html"]
    assert "<strong>Inbound call</strong>" in html
    assert "&lt;b&gt;Demo&lt;/b&gt;" in html
    assert f"From: {CALLER}" in html


def test_nothing_is_written(previewer: Previewer) -> None:
    previewer.add_contact(phone=CALLER)
    after = len(previewer.sandbox.requests())
    previewer.preview()
    asked = previewer.sandbox.requests()[after:]
    assert {request.endpoint for request in asked} == {"contacts.search"}
    assert previewer.sandbox.notes(previewer.hub_id) == []
    assert previewer.asker.get("sync-logs")["logs"] == []


def test_expired_token_is_renewed(previewer: Previewer) -> None:
    contact_id = previewer.add_contact(phone=CALLER)
    previewer.sandbox.expire_tokens(previewer.hub_id)
    assert previewer.preview()["contact_id"] == contact_id


def test_revoked_grant_asks_to_reconnect(previewer: Previewer) -> None:
    previewer.sandbox.revoke_grants(previewer.hub_id)
    assert refusal(previewer.ask()) == (409, "reconnect_required")
    status = previewer.asker.status()
    assert status["state"] == "reconnect_required"
    assert status["reconnectReason"]
    # Known from now on, without asking.
    assert refusal(previewer.ask()) == (409, "reconnect_required")


def test_without_connection_there_is_nothing_to_ask(asker: Asker) -> None:
    answer = asker.ask("POST", "preview", json={"phone_number": CALLER})
    assert refusal(answer) == (409, "not_connected")


def test_token_that_somebody_else_renews_is_waited_for(
    previewer: Previewer, database: Database
) -> None:
    connection = connection_of(database, previewer.asker)
    with database.begin() as session:
        session.execute(update(Connection).values(expires_at=func.now()))
    with database.begin() as session:
        assert lock_token(session, connection.id)
        assert refusal(previewer.ask()) == (503, "busy")
    assert previewer.ask().status_code == 200


@pytest.mark.parametrize(
    ("kind", "arguments", "code"),
    [
        ("rate_limited", {}, "rate_limited"),
        ("status", {"status": 502}, "hubspot_unavailable"),
        ("html", {}, "hubspot_unavailable"),
        ("reset_before", {}, "network_error"),
        ("locked", {}, "hubspot_unavailable"),
    ],
)
def test_hubspot_in_trouble_is_named(
    previewer: Previewer, kind: str, arguments: dict[str, Any], code: str
) -> None:
    previewer.sandbox.add_fault("contacts.search", kind, hub_id=previewer.hub_id, **arguments)
    answer = previewer.ask()
    assert refusal(answer) == (503, code)
    assert int(answer.headers["Retry-After"]) >= 1


def test_missing_scope_asks_to_reconnect(previewer: Previewer) -> None:
    previewer.sandbox.set_scopes(previewer.hub_id, ["oauth"])
    assert refusal(previewer.ask()) == (409, "missing_scopes")


def test_paused_account_is_left_alone(previewer: Previewer, database: Database) -> None:
    pause(database, previewer.hub_id, seconds=90, reason="daily limit")
    before = len(previewer.sandbox.requests())
    answer = previewer.ask()
    assert refusal(answer) == (503, "paused")
    assert 80 <= int(answer.headers["Retry-After"]) <= 90
    assert len(previewer.sandbox.requests()) == before


def test_account_whose_searches_are_spoken_for_is_not_asked(previewer: Previewer) -> None:
    limits = previewer.asker.client.application.extensions[EXTENSION].hubspot.limits
    while limits.reserve_search(previewer.hub_id, longest_wait=5) is not None:
        pass
    assert refusal(previewer.ask()) == (503, "rate_limited")


def test_eleventh_preview_in_a_minute_is_refused(previewer: Previewer) -> None:
    for _ in range(10):
        previewer.preview("anonymous")
    answer = previewer.ask("anonymous")
    assert refusal(answer) == (429, "too_many_requests")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60


def test_previews_do_not_take_every_thread(previewer: Previewer) -> None:
    slots = previewer.asker.client.application.extensions[EXTENSION].preview_slots
    held = [slots.take() for _ in range(8)]
    assert refusal(previewer.ask()) == (503, "busy")
    for each in held:
        each.give_back()
    assert previewer.ask().status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "phone_number"),
        ({"phone_number": 12025550123}, "phone_number"),
        ({"phone_number": "1" * 251}, "phone_number"),
        ({"phone_number": CALLER, "call": {"summary": 1}}, "call.summary"),
    ],
)
def test_wrong_fields_are_named(asker: Asker, body: dict[str, Any], field: str) -> None:
    answer = asker.ask("POST", "preview", json=body)
    assert answer.status_code == 400
    assert [each["field"] for each in read(answer)["error"]["fields"]] == [field]


@pytest.fixture
def frozen_valkey(tmp_path: Path) -> Iterator[Engine]:
    with start_valkey(tmp_path) as engine:
        engine.process.suspend()
        yield engine


def test_frozen_redis_refuses(
    make_client: ClientFactory, frozen_valkey: Engine, database: Database
) -> None:
    asker = Asker(make_client(REDIS_URL=frozen_valkey.url))
    add_connection(database, asker, hub_id=secrets.randbelow(10**9))
    answer = asker.ask("POST", "preview", json={"phone_number": CALLER})
    assert refusal(answer) == (503, "limits_unavailable")


def test_rule_is_shown_before_it_is_saved_and_nobody_is_searched(previewer: Previewer) -> None:
    previewer.add_contact(phone=CALLER)
    asked = len(previewer.sandbox.requests())
    found = previewer.preview(
        call={"duration_seconds": 4}, settings={"rules": {"min_duration_seconds": 10}}
    )
    assert (found["status"], found["error_code"]) == ("skipped", "filtered")
    assert "min_duration_seconds" in found["message"]
    assert len(previewer.sandbox.requests()) == asked
    assert previewer.preview(call={"duration_seconds": 4})["status"] == "success"


def test_what_is_saved_holds_and_what_is_tried_out_goes_before_it(previewer: Previewer) -> None:
    previewer.add_contact(phone=CALLER)
    saved = {"rules": {"skip_outcomes": ["voicemail"]}, "keep": {"recording": False}}
    previewer.asker.ask("PATCH", "settings", json=saved)
    call = {"outcome": "Voicemail", "recording_url": "https://rec.example.com/1"}
    found = previewer.preview(call=call)
    assert found["error_code"] == "filtered"
    assert "rec.example.com" not in found["note_html"]
    tried = previewer.preview(
        call=call, settings={"rules": {"skip_outcomes": None}, "keep": {"recording": True}}
    )
    assert tried["status"] == "success"
    assert "rec.example.com" in tried["note_html"]
    settings = previewer.asker.get("settings")
    assert settings["rules"]["skip_outcomes"] == ["voicemail"]


def test_preview_says_what_a_call_would_wait_for(previewer: Previewer) -> None:
    previewer.add_contact(phone=CALLER)
    found = previewer.preview(call={"summary": "Wants a demo"}, settings={"write_when": "complete"})
    assert found["status"] == "success"
    assert "its recording" in found["waits"]
    assert "its summary" not in found["waits"]


def test_own_number_is_nobody_s_in_a_preview(previewer: Previewer) -> None:
    contact = previewer.add_contact(phone=CALLER)
    own = {"own_numbers": ["+12025550100"]}
    found = previewer.preview("+12025550100", settings=own)
    assert found["error_code"] == "filtered"
    call = {"from_number": CALLER, "to_number": "+12025550100"}
    other = previewer.preview("+12025550100", call=call, settings=own)
    assert other["contact_id"] == contact


def test_wrong_settings_of_a_preview_are_named(previewer: Previewer) -> None:
    answer = previewer.ask(settings={"rules": {"min_duration": 1}})
    assert read(answer)["error"]["fields"][0]["field"] == "settings.rules.min_duration"
    number = previewer.ask(settings={"own_numbers": ["reception"]})
    assert number.status_code == 400
