import pytest

from shared.telemetry.redaction import redact, redact_text


@pytest.mark.parametrize(
    "key",
    [
        "token",
        "access_token",
        "refreshToken",
        "client_secret",
        "Authorization",
        "Set-Cookie",
        "webhook-signature",
        "code",
        "state",
        "code_verifier",
        "transcript",
        "summary",
        "payload",
    ],
)
def test_what_is_named_like_a_secret_or_a_payload_is_masked(key: str) -> None:
    assert redact(key, "anything") == "***"
    assert redact("outer", {key: "anything", "kept": "x"}) == {key: "***", "kept": "x"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("called +12025550123 twice", "called ***0123 twice"),
        ("+1 (202) 555-0123", "***0123"),
        ("tel:%2B12025550123", "tel:***0123"),
        ("202-555-0123", "***0123"),
        ("12025550123", "***0123"),
        ("at https://u:hunter2@h/p", "at https://u:***@h/p"),
        ("GET /cb?code=abc&x=1", "GET /cb?code=***&x=1"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("whsec_c2VjcmV0 failed", "*** failed"),
        ("eyJhbGciOi.eyJzdWIi.c2ln", "***"),
        ("na1-aaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "***"),
    ],
)
def test_secrets_and_numbers_inside_a_text_are_masked(text: str, expected: str) -> None:
    assert redact_text(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "hs_0192f4a07c1e7d3f9a5b6c7d8e9f0a1b",
        "hc_01920000000012345678000000000000",
        "123e4567-e89b-12d3-a456-426614174000",
        "2026-11-22T10:00:00.123456Z",
        "took 0.123456789 s",
        "127.0.0.1:8000 answered 200 in 12 ms",
        "crm/objects/2026-09/notes",
        "1234567",
    ],
)
def test_ids_times_and_ordinary_numbers_stay(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hub_id", "12345678901"),
        ("note_ids", ["17147287858"]),
        ("count", 12345678901),
        ("tokens", 3),
        ("duration_ms", 12.5),
        ("is_duplicate", True),
        ("error", None),
        ("error_code", "rate_limited"),
        ("status", "success"),
    ],
)
def test_fields_that_are_no_secret_stay(key: str, value: object) -> None:
    assert redact(key, value) == value


def test_a_number_in_an_id_field_is_masked_when_it_is_written_as_one() -> None:
    assert redact("contact_id", "+12025550123") == "***0123"
