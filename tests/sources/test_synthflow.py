"""Synthflow: a signature over the call's id alone."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from sources.adapter import Event, Ignored, Options, Outcome, Refusal, Unreadable
from sources.synthflow import ADAPTER, LINKS_END_FROM, MISPLACED, NOT_LINKED
from tests.sources.vendor_fixtures import (
    PLANTED,
    SIGNED_AT,
    deliver,
    load,
    names,
    refuse,
    secret,
)
from tests.sources.vendor_fixtures import read_event as read_body

SECRET: Final = secret("demo-synth", "shared_secret")
SIGNATURE: Final = "++QWcUDN4Me1sX08rQ7jXBT1tpRMgBez0MNdCs2DsJ4="
HEADERS: Final = (("Synthflow-Signature", SIGNATURE),)
BODY: Final = load(ADAPTER, "completed.json")
NO_ID: Final = BODY.replace(b'"call_id"', b'"other_id"')


def read_event(name: str, **changes: Any) -> Event:
    """The event of a fixture, with changes to its `call`."""
    body = json.loads(load(ADAPTER, name))
    body["call"] |= changes
    return read_body(ADAPTER, json.dumps(body).encode())


@pytest.mark.parametrize(
    "header",
    [
        "Synthflow-Signature",
        "x-synthflow-signature",
        "HTTP-SYNTHFLOW-SIGNATURE",
        "HTTP_SYNTHFLOW_SIGNATURE",
    ],
)
@pytest.mark.parametrize("signature", [SIGNATURE, base64.b64decode(SIGNATURE).hex()])
def test_the_vector_is_genuine_however_the_header_is_spelled(header: str, signature: str) -> None:
    other = secret("another-secret", "shared_secret", "sec_2")
    for days in (0, 30):  # the signature has no time
        at = SIGNED_AT + timedelta(days=days)
        delivery = deliver(ADAPTER, BODY, [(header, signature)], at)
        assert ADAPTER.verify(delivery, [other, SECRET], Options()) is SECRET


def test_the_signature_covers_the_id_and_nothing_else() -> None:
    """Not as it should be, but so it is: the dashboard says what it means."""
    altered = BODY.replace(b"+12025550112", b"+12025550113")
    assert altered != BODY
    assert ADAPTER.verify(deliver(ADAPTER, altered, HEADERS), [SECRET], Options()) is SECRET
    assert any("signs only" in caveat for caveat in ADAPTER.caveats)


def test_another_id_is_refused() -> None:
    body = BODY.replace(b"0b2f6c1e-demo-call", b"0b2f6c1e-demo-calk")
    assert refuse(ADAPTER, deliver(ADAPTER, body, HEADERS), SECRET) is Refusal.WRONG_SIGNATURE


def test_what_is_checked_is_what_is_read() -> None:
    """Two ids in one body: the one that is signed is the one that counts."""
    body = json.loads(BODY)
    body["call_id"] = "another"
    delivery = deliver(ADAPTER, json.dumps(body).encode(), HEADERS)
    assert ADAPTER.verify(delivery, [SECRET], Options()) is SECRET
    assert read_body(ADAPTER, delivery.body).call == "0b2f6c1e-demo-call"
    doubled = BODY.replace(b'"call_id"', b'"call_id": "0b2f6c1e-demo-call", "call_id"', 1)
    forged = doubled.replace(b'"0b2f6c1e-demo-call",\n', b'"forged",\n', 1)
    assert forged.count(b"forged") == 1
    assert refuse(ADAPTER, deliver(ADAPTER, forged, HEADERS), SECRET)


def test_another_secret_is_refused() -> None:
    other = secret("another-secret", "shared_secret")
    assert refuse(ADAPTER, deliver(ADAPTER, BODY, HEADERS), other) is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize("body", [NO_ID, b"", b"[]", b"\xff", b'{"call":{"call_id":null}}'])
def test_a_delivery_without_an_id_is_refused(body: bytes) -> None:
    assert refuse(ADAPTER, deliver(ADAPTER, body, HEADERS), SECRET) is Refusal.WRONG_SIGNATURE


def test_a_delivery_without_a_signature_is_refused() -> None:
    assert refuse(ADAPTER, deliver(ADAPTER, BODY), SECRET) is Refusal.MISSING_SIGNATURE


@pytest.mark.parametrize(
    "headers",
    [
        [*HEADERS, *HEADERS],
        [("synthflow-signature", " ")],
        [("synthflow-signature", SIGNATURE.rstrip("="))],
        [("synthflow-signature", SIGNATURE.replace("+", "-"))],
        [("synthflow-signature", SIGNATURE[:-2] + "5=")],
        [("synthflow-signature", "sha256=" + SIGNATURE)],
        [("synthflow-signature", "abc123")],
    ],
)
def test_a_signature_has_one_spelling_of_each_kind(headers: list[tuple[str, str]]) -> None:
    code = refuse(ADAPTER, deliver(ADAPTER, BODY, headers), SECRET)
    assert code is Refusal.MALFORMED_SIGNATURE


def test_the_sample_is_genuine() -> None:
    at = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
    (sample,) = ADAPTER.sample(SECRET, "https://x.example/y", at, Options())
    delivery = deliver(ADAPTER, sample.body, list(sample.headers.items()), at)
    assert ADAPTER.verify(delivery, [SECRET], Options()) is SECRET
    assert read_body(ADAPTER, sample.body).facts["structured_data"] == {"seats": 3}


def test_a_completed_call() -> None:
    event = read_event("completed.json")
    assert event.call == "0b2f6c1e-demo-call"
    assert event.facts == {
        "phone_number": "+12025550112",
        "agent_id": "m1",
        "started_at": datetime(2025, 11, 28, 3, 20, tzinfo=UTC),
        "duration_seconds": 64,
        "outcome": Outcome.COMPLETED,
        "transcript": [
            {"role": "assistant", "text": "Hello."},
            {"role": "user", "text": "Hi."},
        ],
        "recording_url": "https://rec.example.net/s1.wav",
        "structured_data": {"seats": 3, "city": "Bath"},
    }
    assert event.is_end
    assert event.is_final
    assert event.tenant == ("m1",)
    assert (event.user_id, event.workspace_id) == ("user_1", "ws_1")
    assert event.occurred_at == datetime(2025, 11, 28, 3, 21, 4, tzinfo=UTC)


def test_a_call_that_nobody_answered() -> None:
    event = read_event("no_answer.json")
    assert event.facts == {
        "agent_id": "m1",
        "duration_seconds": 0,
        "outcome": Outcome.NO_ANSWER,
    }
    assert event.occurred_at is None


@pytest.mark.parametrize(
    ("status", "reason", "outcome"),
    [
        ("completed", "human_hangup", "completed"),
        ("completed", "voicemail_message_left", "voicemail"),
        ("left_voicemail", None, "voicemail"),
        ("hangup_on_voicemail", None, "voicemail"),
        ("no-answer", None, "no_answer"),
        ("busy", None, "busy"),
        ("failed", None, "failed"),
        ("canceled", None, "canceled"),
        ("user-canceled", None, "canceled"),
        ("Completed", None, "completed"),
        ("a-new-status", None, "a-new-status"),
    ],
)
def test_every_status_is_an_outcome(status: str, reason: str | None, outcome: str) -> None:
    event = read_event("completed.json", status=status, end_call_reason=reason)
    assert event.facts["outcome"] == outcome


def test_a_message_on_a_machine_is_a_voicemail() -> None:
    assert read_event("voicemail.json").facts["outcome"] == Outcome.VOICEMAIL


def test_a_withheld_number_is_none() -> None:
    event = read_body(ADAPTER, BODY.replace(b"+12025550112", b"Anonymous"))
    assert "phone_number" not in event.facts


def test_links_that_end_within_a_day_are_not_kept_and_that_is_said() -> None:
    for at, is_linked in ((LINKS_END_FROM - timedelta(seconds=1), True), (LINKS_END_FROM, False)):
        (event,) = ADAPTER.read(deliver(ADAPTER, BODY, at=at), Options())
        assert isinstance(event, Event)
        assert ("recording_url" in event.facts) is is_linked
        assert event.notices == (() if is_linked else (NOT_LINKED,))


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("plain text", {"city": "plain text"}),
        ('"Bath"', {"city": "Bath"}),
        ('["Bath", "Rome"]', {"city": ["Bath", "Rome"]}),
        ('[{"password": "PLANTED"}, {"name": "Rome"}]', {"city": [{"name": "Rome"}]}),
        ('{"password": "PLANTED"', {}),
        ("null", {}),
        (7, {"city": 7}),
        (["x"], {"city": ["x"]}),
        ({"city": "Bath"}, {"city": "Bath"}),
        (None, {}),
    ],
)
def test_what_was_extracted_is_read_in_any_form(value: object, found: dict[str, object]) -> None:
    body = json.loads(BODY)
    body["executed_actions"] = {"city": {"action_type": "EXTRACT_INFO", "return_value": value}}
    body["collected_variables"] = {"self": "bare"}
    data = read_body(ADAPTER, json.dumps(body).encode()).facts["structured_data"]
    assert data == {"self": "bare"} | found


def test_a_running_call_is_ignored() -> None:
    (reading,) = ADAPTER.read(deliver(ADAPTER, load(ADAPTER, "in_progress.json")), Options())
    assert isinstance(reading, Ignored)


def test_an_address_in_the_wrong_place_is_said() -> None:
    body = load(ADAPTER, "inbound_request.json")
    assert ADAPTER.read(deliver(ADAPTER, body), Options()) == [Ignored("call_inbound", MISPLACED)]


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"[" * 100_000])
def test_what_is_no_call_is_unreadable(body: bytes) -> None:
    (reading,) = ADAPTER.read(deliver(ADAPTER, body), Options())
    assert isinstance(reading, Unreadable)


@pytest.mark.parametrize("name", names("synthflow"))
def test_nothing_secret_is_read(name: str) -> None:
    readings = ADAPTER.read(deliver(ADAPTER, load(ADAPTER, name)), Options())
    assert readings
    assert PLANTED not in repr(readings)
