"""Twilio's callbacks: what proves them, and what they say.

Signatures are constants, none of them made by our code: the first are published vectors or agree
with the vendor's own validator, the others come from `openssl dgst -hmac` over a text by hand.
"""

from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, urlencode

import pytest
from pydantic import ValidationError

from sources.adapter import Delivery, Event, InvalidSecretError, Refusal, Secret, Unreadable
from sources.forms import FORM, MOST_FIELDS
from sources.twilio import ADAPTER, MISPLACED, MISPLACED_MESSAGE, TwilioOptions
from tests.sources.deliveries import FIXTURES, SIGNED_AT
from tests.sources.reading_fixtures import (
    Headers,
    load,
    read,
    read_event,
    read_ignored,
    refuse,
)
from tests.sources.soundness import check_sound

URL: Final = "https://calls.example.com/in/twilio/src_demo?ws=ws_1"
BODY: Final = (
    b"CallSid=CAdemo1&AccountSid=ACdemo&From=%2B12025550101&To=%2B12025550102&CallStatus=completed"
    b"&Direction=outbound-api&CallDuration=49&Duration=1"
    b"&Timestamp=Fri%2C+28+Nov+2025+03%3A20%3A00+%2B0000&ToZip="
)
SIGNATURE: Final = "wTK5GIAvfjHLUvHxxnXlZOybzS4="
WITHOUT_BLANKS: Final = "221ma3tQVdaJU1XD0I47I3plNmU="
BY_SHARED_KEY: Final = "aTUGR3eoehNKPKe+1+ehJQNqLhrvaOoi9FAyS7JPKCc="
BY_SHARED_KEY_SHA1: Final = "uR9jbtUKqljFEHEkHNQ6DMFdnkM="
BY_TOKEN_SHA256: Final = "qvwQOmOF7zj+kA6iutkzkCoIGPMuoSeymTQ/IPkOzuw="
WITH_PORT: Final = "PMJDSV4RRAJog22IZytxEf+TPGc="
OVER_HTTP: Final = "VnW3oJUHzsVnqRffUp+Pa8rvZ4o="
JSON_URL: Final = (
    f"{URL}&bodySHA256=015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
)
JSON_SIGNATURE: Final = "PaNfNGj+Vf0YzGqGEab81L0FdmY="
GET_URL: Final = (
    f"{URL}&CallSid=CAdemo1&CallStatus=completed&From=%2B12025550101&To=%2B12025550102"
    "&Direction=inbound"
)
GET_SIGNATURE: Final = "+fOnbTDnWzRSUtjXOdn12Cp/qSM="

TOKEN: Final = Secret(id="token", scheme="auth_token", value="demo-auth-token")
OTHER: Final = Secret(id="other", scheme="auth_token", value="another-auth-token")
KEY: Final = Secret(id="key", scheme="shared_key", value="demo-shared-key")
SETTINGS: Final = (
    "X-Twilio-Webhooks-Signature-Settings",
    "key=CR00000000000000000000000000000000,algorithm=HMAC_SHA256",
)

FORMS: Final = sorted(path.name for path in (FIXTURES / "twilio").glob("*.form"))


def deliver(
    body: bytes = BODY,
    signature: str | None = SIGNATURE,
    *,
    url: str = URL,
    kind: str | None = FORM,
    method: str = "POST",
    more: Headers = (),
) -> Delivery:
    headers = [*more]
    if signature is not None:
        headers.append(("x-twilio-signature", signature))
    if kind is not None:
        headers.append(("content-type", kind))
    return Delivery(method=method, url=url, headers=headers, body=body, received_at=SIGNED_AT)


def deliver_fixture(name: str, url: str = URL) -> Delivery:
    kind = FORM if name.endswith(".form") else "application/json"
    return deliver(load("twilio", name), kind=kind, url=url)


def verify(delivery: Delivery, *secrets: Secret) -> str:
    return ADAPTER.verify(delivery, secrets or (OTHER, TOKEN, KEY), TwilioOptions()).id


def test_form_signed_with_the_auth_token_is_genuine() -> None:
    assert verify(deliver()) == "token"
    assert verify(deliver(kind=f"{FORM}; charset=UTF-8")) == "token"
    assert verify(deliver(kind=None)) == "token"


def test_repeat_is_genuine_again() -> None:
    assert [verify(deliver()) for _ in range(2)] == ["token", "token"]


def test_signature_that_leaves_out_blank_values_is_refused() -> None:
    refused = refuse(ADAPTER, deliver(signature=WITHOUT_BLANKS), [TOKEN])
    assert refused is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize(
    "body",
    [
        BODY.replace(b"CallDuration=49", b"CallDuration=48"),
        BODY.replace(b"&ToZip=", b""),
        BODY + b"&RecordingUrl=https%3A%2F%2Fevil.example",
        BODY + b"&From=%2B12025550103",
        BODY.replace(b"&Duration=1", b"&Duration=+1"),
        b"",
    ],
)
def test_tampered_form_is_refused(body: bytes) -> None:
    assert refuse(ADAPTER, deliver(body), [TOKEN, KEY]) is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize(
    "url",
    [
        URL.replace("ws_1", "ws_2"),
        URL.partition("?")[0],
        URL.replace("src_demo", "src_other"),
        URL.replace("https", "http"),
        URL.replace("calls.", "evil."),
        f"{URL}&workspace_id=ws_2",
    ],
)
def test_other_address_is_refused(url: str) -> None:
    assert refuse(ADAPTER, deliver(url=url), [TOKEN]) is Refusal.WRONG_SIGNATURE


def test_order_of_fields_does_not_matter() -> None:
    assert verify(deliver(b"&".join(reversed(BODY.split(b"&"))))) == "token"


def test_port_may_be_kept_or_dropped_on_either_side() -> None:
    assert verify(deliver(signature=WITH_PORT)) == "token"
    with_port = URL.replace(".com/", ".com:443/")
    assert verify(deliver(url=with_port)) == "token"
    assert verify(deliver(signature=WITH_PORT, url=with_port)) == "token"
    assert verify(deliver(url=URL.replace(".com/", ".com:8443/"))) == "token"
    other_port = deliver(signature=WITH_PORT, url=URL.replace(".com/", ".com:8443/"))
    assert refuse(ADAPTER, other_port, [TOKEN]) is Refusal.WRONG_SIGNATURE


def test_http_address_is_genuine_where_the_public_address_says_http() -> None:
    assert verify(deliver(signature=OVER_HTTP, url=URL.replace("https", "http"))) == "token"
    assert refuse(ADAPTER, deliver(signature=OVER_HTTP), [TOKEN]) is Refusal.WRONG_SIGNATURE


def test_of_equal_values_of_a_name_one_is_signed() -> None:
    body = b"CallSid=CAdemo1&Digits=2&Digits=1&Digits=2&CallStatus=completed"
    assert verify(deliver(body, "+ms4JVRv2FXjjl0kDadJrqNy1OM=")) == "token"


def test_signs_beyond_ascii_are_signed_as_utf8() -> None:
    body = b"CallSid=CAdemo1&CallerName=Zo%C3%AB+M%c3%bcller&CallStatus=completed"
    assert verify(deliver(body, "KBNf+E8vmI0Rz8CZWe3SVYKBsbk=")) == "token"


def test_get_is_signed_by_its_address_alone() -> None:
    genuine = deliver(b"", GET_SIGNATURE, url=GET_URL, method="GET", kind=None)
    assert verify(genuine) == "token"
    event = read_event(ADAPTER, genuine)
    assert (event.call, event.facts["from_number"]) == ("CAdemo1", "+12025550101")
    # The parameters would count twice, if they were added again; and a body is not signed.
    with_body = deliver(BODY, GET_SIGNATURE, url=GET_URL, method="GET")
    assert read_event(ADAPTER, with_body).facts == event.facts
    changed = deliver(b"", GET_SIGNATURE, url=GET_URL.replace("0101", "0103"), method="GET")
    assert refuse(ADAPTER, changed, [TOKEN]) is Refusal.WRONG_SIGNATURE
    posted = deliver(BODY, GET_SIGNATURE, url=GET_URL)
    assert refuse(ADAPTER, posted, [TOKEN]) is Refusal.WRONG_SIGNATURE


def test_json_is_genuine_by_the_hash_in_its_address() -> None:
    def send(body: bytes, kind: str | None, url: str = JSON_URL) -> Delivery:
        return deliver(body, JSON_SIGNATURE, kind=kind, url=url)

    assert verify(send(b'{"a":1}', "application/json")) == "token"
    assert verify(send(b'{"a":1}', None)) == "token"
    for wrong in (
        send(b'{"a":2}', "application/json"),
        send(b'{"a":1}', FORM),
        send(b'{"a":1}', "application/json", URL),
        send(b'{"a":1}', "application/json", f"{JSON_URL}&bodySHA256={'0' * 64}"),
    ):
        assert refuse(ADAPTER, wrong, [TOKEN]) is Refusal.WRONG_SIGNATURE


def test_shared_key_counts_only_with_the_settings_header_and_the_auth_token_only_without() -> None:
    by_key = deliver(signature=BY_SHARED_KEY, more=[SETTINGS])
    assert verify(by_key) == "key"
    assert (
        verify(
            deliver(
                signature=bytes.fromhex(
                    "6935064777a87a134a3ca7bed7e7a125036a2e1aef68ea22f450324bb24f2827"
                ).hex(),
                more=[SETTINGS],
            )
        )
        == "key"
    )
    sha1 = (SETTINGS[0], "key=CR0,algorithm=HMAC_SHA1")
    assert verify(deliver(signature=BY_SHARED_KEY_SHA1, more=[sha1])) == "key"
    # Each of these is a good signature, of the other kind of secret.
    for wrong in (
        deliver(signature=BY_SHARED_KEY_SHA1),
        deliver(signature=SIGNATURE, more=[sha1]),
        deliver(signature=BY_TOKEN_SHA256, more=[SETTINGS]),
    ):
        assert refuse(ADAPTER, wrong, [TOKEN, KEY]) is Refusal.WRONG_SIGNATURE
    assert refuse(ADAPTER, by_key, [TOKEN]) is Refusal.NO_SECRET
    assert refuse(ADAPTER, deliver(), [KEY]) is Refusal.NO_SECRET
    assert refuse(ADAPTER, deliver(signature=BY_SHARED_KEY), [KEY, TOKEN]) is (
        Refusal.MALFORMED_SIGNATURE
    )


@pytest.mark.parametrize(
    "settings",
    [
        "key=CR0",
        "key=CR0,algorithm=none",
        "key=CR0,algorithm=HMAC_MD5",
        "",
        "algorithm",
        "algorithm=HMAC_SHA1,algorithm=HMAC_SHA256",
        "key=CR0,algorithm=hmac_sha256",
    ],
)
def test_settings_that_name_no_known_algorithm_are_refused(settings: str) -> None:
    for signature in (BY_SHARED_KEY, SIGNATURE):
        delivery = deliver(signature=signature, more=[(SETTINGS[0], settings)])
        assert refuse(ADAPTER, delivery, [TOKEN, KEY]) is Refusal.MALFORMED_SIGNATURE


def test_settings_that_came_twice_are_refused() -> None:
    twice = deliver(signature=BY_SHARED_KEY, more=[SETTINGS, SETTINGS])
    assert refuse(ADAPTER, twice, [TOKEN, KEY]) is Refusal.MALFORMED_SIGNATURE


def test_missing_blank_and_doubled_signatures_are_refused() -> None:
    assert refuse(ADAPTER, deliver(signature=None), [TOKEN]) is Refusal.MISSING_SIGNATURE
    assert refuse(ADAPTER, deliver(signature=" "), [TOKEN]) is Refusal.MALFORMED_SIGNATURE
    twice = deliver(more=[("X-Twilio-Signature", SIGNATURE)])
    assert refuse(ADAPTER, twice, [TOKEN]) is Refusal.MALFORMED_SIGNATURE


@pytest.mark.parametrize(
    "signature",
    [
        SIGNATURE.rstrip("="),
        SIGNATURE + "=",
        SIGNATURE[:-2] + "5=",
        WITH_PORT.replace("+", "-"),
        "c132b918802f7e31cb52f1f1c675e564ec9bcd2e",
        BY_SHARED_KEY,
        "ä" * 28,
    ],
)
def test_other_spellings_of_a_signature_are_refused(signature: str) -> None:
    refused = refuse(ADAPTER, deliver(signature=signature), [TOKEN])
    assert refused is Refusal.MALFORMED_SIGNATURE


def test_other_secret_is_refused() -> None:
    assert refuse(ADAPTER, deliver(), [OTHER]) is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize("bomb", [b"a=b&" * MOST_FIELDS, b"a=" + b"x" * 300_000, b"&" * 1_000_000])
def test_form_bomb_is_refused_unread(bomb: bytes) -> None:
    assert refuse(ADAPTER, deliver(bomb), [TOKEN]) is Refusal.MALFORMED_SIGNATURE
    (reading,) = read(ADAPTER, deliver(bomb))
    assert isinstance(reading, Unreadable)


def test_inbound_call_names_the_caller_as_customers_end() -> None:
    event = read_event(ADAPTER, deliver_fixture("completed_inbound.form"))
    ended_at = datetime(2025, 11, 28, 3, 21, 15, tzinfo=UTC)
    assert event == Event(
        name="call.completed",
        call="CAdemo2",
        facts={
            "direction": "inbound",
            "from_number": "+12025550106",
            "to_number": "+12025550199",
            "started_at": datetime(2025, 11, 28, 3, 20, tzinfo=UTC),
            "ended_at": ended_at,
            "duration_seconds": 75.0,
            "outcome": "completed",
            "structured_data": {"caller_name": "ADA LOVELACE"},
        },
        occurred_at=ended_at,
        is_end=True,
        tenant=("+12025550199", "ACdemo"),
    )


def test_outbound_call_names_whom_it_went_to() -> None:
    event = read_event(ADAPTER, deliver_fixture("completed_outbound.form"))
    assert event.facts["direction"] == "outbound"
    assert event.facts["to_number"] == "+12025550102"
    assert event.facts["duration_seconds"] == 49.0
    assert event.facts["structured_data"] == {"answered_by": "human", "sip_response_code": "200"}
    assert event.tenant == ("+12025550101", "ACdemo")


@pytest.mark.parametrize(
    ("fixture", "outcome", "is_final"),
    [
        ("completed_inbound", "completed", False),
        ("completed_machine", "voicemail", False),
        ("no_answer", "no_answer", True),
        ("busy", "busy", True),
        ("failed", "failed", True),
        ("canceled", "canceled", True),
    ],
)
def test_each_final_status_ends_the_call_with_its_outcome(
    fixture: str, outcome: str, is_final: bool
) -> None:
    event = read_event(ADAPTER, deliver_fixture(f"{fixture}.form"))
    assert (event.facts["outcome"], event.is_end, event.is_final) == (outcome, True, is_final)


def test_call_without_duration_has_none_and_no_start() -> None:
    facts = read_event(ADAPTER, deliver_fixture("no_answer.form")).facts
    assert "duration_seconds" not in facts
    assert "started_at" not in facts


@pytest.mark.parametrize("fixture", ["withheld.form", "anonymous.form"])
def test_withheld_number_is_no_number(fixture: str) -> None:
    facts = read_event(ADAPTER, deliver_fixture(fixture)).facts
    assert "from_number" not in facts
    assert "phone_number" not in facts
    assert facts["direction"] == "inbound"


def test_call_out_of_a_browser_goes_to_the_customer() -> None:
    facts = read_event(ADAPTER, deliver_fixture("from_browser.form")).facts
    assert (facts["direction"], facts["to_number"]) == ("outbound", "+12025550102")
    assert "from_number" not in facts


def test_number_in_a_sip_address_is_read_and_a_name_is_not() -> None:
    facts = read_event(ADAPTER, deliver_fixture("from_sip.form")).facts
    assert facts["from_number"] == "+12025550106"
    assert "to_number" not in facts


def test_recording_is_linked_so_that_it_plays_and_names_no_numbers() -> None:
    event = read_event(ADAPTER, deliver_fixture("recording_completed.form"))
    assert event.facts == {
        "recording_url": (
            "https://api.twilio.com/2010-04-01/Accounts/ACdemo/Recordings/REdemo1.mp3"
        )
    }
    assert (event.call, event.rank, event.is_end) == ("CAdemo2", 20, False)
    assert event.occurred_at == datetime(2025, 11, 28, 3, 21, 13, tzinfo=UTC)
    assert event.notices == ("The link to the recording may ask for a Twilio login.",)


def test_recording_over_http_is_unreadable() -> None:
    body = load("twilio", "recording_completed.form").replace(b"=https%3A", b"=http%3A")
    (reading,) = read(ADAPTER, deliver(body))
    assert isinstance(reading, Unreadable)


def test_transcribed_voicemail_is_what_the_caller_said() -> None:
    event = read_event(ADAPTER, deliver_fixture("transcribed.form"))
    assert event.facts == {"transcript": [{"role": "user", "text": "Please call me back."}]}


@pytest.mark.parametrize(
    ("fixture", "name", "misplaced"),
    [
        ("ringing_callback.form", "call.ringing", None),
        ("call_comes_in.form", "call.ringing", MISPLACED),
        ("gathered_digits.form", "call.in-progress", MISPLACED),
        ("message_comes_in.form", "message", MISPLACED_MESSAGE),
        ("message_status.form", "message", None),
        ("child_leg.form", "leg.completed", None),
        ("recording_in_progress.form", "recording.in-progress", None),
        ("recording_absent.form", "recording.absent", None),
        ("conference_recording.form", "recording.completed", None),
        ("conference.form", "StatusCallbackEvent", None),
        ("machine_detection.form", "AnsweredBy", None),
        ("intelligence.json", "voice_intelligence_transcript_available", None),
    ],
)
def test_what_says_nothing_of_an_end_is_ignored(
    fixture: str, name: str, misplaced: str | None
) -> None:
    ignored = read_ignored(ADAPTER, deliver_fixture(fixture))
    assert (ignored.name, ignored.misplaced) == (name, misplaced)


def test_tenant_comes_out_of_the_signed_address() -> None:
    url = f"{URL}&user_id=user_1&workspace_id=ws_9"
    event = read_event(ADAPTER, deliver_fixture("completed_inbound.form", url))
    assert (event.user_id, event.workspace_id) == ("user_1", "ws_9")


def test_name_with_two_values_has_none() -> None:
    # Their order is not signed.
    body = load("twilio", "completed_inbound.form") + b"&From=%2B12025550107"
    assert "from_number" not in read_event(ADAPTER, deliver(body)).facts


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"=&=&=",
        b"hello",
        b"CallStatus=completed",
        b"\xff\xfe=%ff",
        b"CallStatus=completed&CallSid=&From=%2B12025550106",
    ],
)
def test_form_without_a_call_is_unreadable(body: bytes) -> None:
    (reading,) = read(ADAPTER, deliver(body))
    assert isinstance(reading, Unreadable)


@pytest.mark.parametrize("duration", ["-5", "1e9", "999999999999999", "NaN", "ten", ""])
@pytest.mark.parametrize("time", ["", "yesterday", "Fri, 31 Nov 2025 99:99:99", "0", "9" * 80])
def test_strange_times_lose_no_call(duration: str, time: str) -> None:
    body = {"CallSid": "CA1", "CallStatus": "completed", "CallDuration": duration}
    event = read_event(ADAPTER, deliver(urlencode(body | {"Timestamp": time}).encode()))
    assert event.is_end
    assert "started_at" not in event.facts


@pytest.mark.parametrize("duration", ["-5", "1e9", "999999999999999", "ten", ""])
def test_impossible_duration_is_none(duration: str) -> None:
    body = load("twilio", "completed_inbound.form").replace(
        b"CallDuration=75", f"CallDuration={duration}".encode()
    )
    facts = read_event(ADAPTER, deliver(body)).facts
    assert facts.keys().isdisjoint({"duration_seconds", "started_at"})
    assert "ended_at" in facts


def test_default_region_goes_with_the_numbers() -> None:
    options = TwilioOptions(default_region="GB")
    event = read_event(ADAPTER, deliver_fixture("completed_inbound.form"), options)
    assert event.facts["region"] == "GB"
    for wrong in ("gb", "GBR", "", 1):
        with pytest.raises(ValidationError):
            TwilioOptions.model_validate({"default_region": wrong})


@pytest.mark.parametrize("name", FORMS)
def test_each_form_is_read_soundly_whatever_a_value_is(name: str) -> None:
    pairs = parse_qsl(load("twilio", name).decode(), keep_blank_values=True)
    for place, (field, _) in enumerate(pairs):
        for value in ("", " ", "-1", "9" * 400, "x" * 9000, "é\0", "NaN", "https://x", "+0"):
            changed = [*pairs[:place], (field, value), *pairs[place + 1 :]]
            for reading in ADAPTER.read(deliver(urlencode(changed).encode()), TwilioOptions()):
                check_sound(reading)


def test_nothing_secret_is_read() -> None:
    planted = "PLANTED-7f3a"
    names = ("AuthToken", "ApiSecret", "SipHeader_X-Secret", "Token", "AddOns", "ForwardedFrom")
    for form in FORMS:
        body = load("twilio", form) + "".join(f"&{name}={planted}" for name in names).encode()
        readings = read(ADAPTER, deliver(body, url=f"{URL}&token={planted}&secret={planted}"))
        assert planted not in repr(readings)


@pytest.mark.parametrize(
    "value",
    ["", "  ", "short", "AC" + "0a" * 16, "SK" + "0a" * 16, "with blank inside", "x" * 5000],
)
@pytest.mark.parametrize("scheme", ["auth_token", "shared_key"])
def test_secret_that_cannot_be_one_is_refused_in_words(scheme: str, value: str) -> None:
    with pytest.raises(InvalidSecretError) as refused:
        ADAPTER.scheme(scheme).check(value)
    assert len(str(refused.value)) > 30
    ADAPTER.scheme(scheme).check("0a" * 16)
    ADAPTER.scheme(scheme).check("demo-auth-token")
