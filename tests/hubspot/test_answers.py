"""Every status and error body of HubSpot's, and the error that each becomes."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from shared.hubspot.client import HubSpotClient
from shared.hubspot.errors import (
    AccountLockedError,
    HubSpotError,
    MissingScopesError,
    NotFoundError,
    RateLimitedError,
    RejectedError,
    RetryLaterError,
    TokenRejectedError,
    UnavailableError,
)
from shared.hubspot.models import RateLimit
from shared.hubspot.responses import retry_after
from tests.hubspot.conftest import TOKEN
from tests.hubspot.scripted import Reply, ScriptedServer

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
HTML = b"<!DOCTYPE html><title>Something is wrong</title>"


def envelope(category: str | None = None) -> dict[str, object]:
    fields: dict[str, object] = {"status": "error", "message": "Told you.", "correlationId": "c-1"}
    return fields if category is None else fields | {"category": category}


def failure(server: ScriptedServer, client: HubSpotClient, reply: Reply) -> HubSpotError:
    server.then(reply)
    with pytest.raises(HubSpotError) as caught:
        client.account_details()
    return caught.value


@pytest.mark.parametrize(
    ("status", "category", "expected", "definite"),
    [
        (302, None, UnavailableError, False),
        (400, "VALIDATION_ERROR", RejectedError, True),
        (400, None, RejectedError, True),
        (401, "EXPIRED_AUTHENTICATION", TokenRejectedError, True),
        (403, "MISSING_SCOPES", MissingScopesError, True),
        (403, "FORBIDDEN", RejectedError, True),
        (404, "OBJECT_NOT_FOUND", NotFoundError, True),
        (408, None, UnavailableError, False),
        (409, "CONFLICT", RejectedError, True),
        (414, None, RejectedError, True),
        (423, None, AccountLockedError, True),
        (429, "RATE_LIMITS", RateLimitedError, True),
        (477, None, AccountLockedError, True),
        (500, "INTERNAL_ERROR", UnavailableError, False),
        (502, None, UnavailableError, False),
        (503, "MISSING_SCOPES", UnavailableError, False),
        (504, None, UnavailableError, False),
        (521, None, UnavailableError, False),
        (522, None, UnavailableError, False),
        (523, None, UnavailableError, False),
        (524, None, UnavailableError, False),
        (525, None, UnavailableError, False),
        (526, None, UnavailableError, False),
    ],
)
def test_status_with_envelope_says_what_to_do(
    server: ScriptedServer,
    client: HubSpotClient,
    *,
    status: int,
    category: str | None,
    expected: type[HubSpotError],
    definite: bool,
) -> None:
    error = failure(server, client, Reply(status, envelope(category)))
    assert type(error) is expected
    assert error.definite is definite
    assert error.sent
    assert (error.status, error.category, error.correlation_id) == (status, category, "c-1")
    assert str(error) == "Told you."


@pytest.mark.parametrize("body", [HTML, b"", b"[]", b"{}", b'{"title": "no", "status": 400}'])
@pytest.mark.parametrize(
    "status", [302, 400, 401, 403, 404, 408, 409, 414, 500, 502, 522, 524, 525]
)
def test_status_without_envelope_is_unavailable_and_ambiguous(
    status: int, body: bytes, server: ScriptedServer, client: HubSpotClient
) -> None:
    error = failure(server, client, Reply(status, body))
    assert type(error) is UnavailableError
    assert not error.definite
    assert str(status) in error.message


@pytest.mark.parametrize(
    ("status", "expected"),
    [(423, AccountLockedError), (429, RateLimitedError), (477, AccountLockedError)],
)
def test_wait_without_envelope_is_still_a_wait_but_ambiguous(
    status: int, expected: type[HubSpotError], server: ScriptedServer, client: HubSpotClient
) -> None:
    error = failure(server, client, Reply(status, HTML))
    assert type(error) is expected
    assert not error.definite


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        (423, None, 2.0),
        (423, "1", 2.0),
        (423, "7", 7.0),
        (477, None, None),
        (477, "3600", 3600.0),
        (477, "9" * 4000, 86400.0),
        (429, None, None),
        (429, "10", 10.0),
        (503, "5", 5.0),
    ],
)
def test_wait_is_what_hubspot_says(
    status: int,
    header: str | None,
    seconds: float | None,
    server: ScriptedServer,
    client: HubSpotClient,
) -> None:
    headers = {} if header is None else {"Retry-After": header}
    error = failure(server, client, Reply(status, envelope(), headers))
    assert isinstance(error, RetryLaterError)
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("1.5", None),
        ("nan", None),
        ("9" * 5000, None),
        ("-5", 0.0),
        ("0", 0.0),
        ("90000", 86400.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0.0),
        (format_datetime(NOW + timedelta(days=9), usegmt=True), 86400.0),
        ("Sun, 22 Nov 2026 10:00:30 -0000", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_at_most_a_day(
    header: str | None, seconds: float | None
) -> None:
    assert retry_after(header, now=NOW) == seconds


@pytest.mark.parametrize("code", [{"errorType": "RATE_LIMIT"}, {"category": "RATE_LIMITS"}])
@pytest.mark.parametrize("policy", ["SECONDLY", "TEN_SECONDLY_ROLLING", "DAILY", None])
def test_rate_limit_names_its_policy(
    policy: str | None, code: dict[str, str], server: ScriptedServer, client: HubSpotClient
) -> None:
    named = {} if policy is None else {"policyName": policy}
    error = failure(server, client, Reply(429, {"status": "error", **code, **named}))
    assert isinstance(error, RateLimitedError)
    assert error.policy == policy
    assert error.category == next(iter(code.values()))


@pytest.mark.parametrize("wrong", [None, 7, True, [], {}, ["x"], {"a": 1}])
def test_envelope_fields_of_any_type_are_survived(
    wrong: object, server: ScriptedServer, client: HubSpotClient
) -> None:
    names = ("message", "category", "errorType", "correlationId", "policyName", "context", "errors")
    error = failure(server, client, Reply(400, {"status": "error"} | dict.fromkeys(names, wrong)))
    assert type(error) is RejectedError
    assert (error.category, error.correlation_id) == (None, None)


def test_message_is_short_and_fit_to_be_stored(
    server: ScriptedServer, client: HubSpotClient
) -> None:
    error = failure(server, client, Reply(400, {"message": "a\0b\ud800c" + "é" * 1000}))
    assert error.message == "a b c" + "é" * 495


@pytest.mark.parametrize("body", [HTML, b"", b"[]", b"{}", b'{"portalId": "x"}', b"[" * 100000])
def test_success_that_cannot_be_understood_is_unavailable_and_ambiguous(
    body: bytes, server: ScriptedServer, client: HubSpotClient
) -> None:
    error = failure(server, client, Reply(200, body))
    assert type(error) is UnavailableError
    assert not error.definite


def test_every_answer_is_reported_with_its_limits(
    server: ScriptedServer, client: HubSpotClient
) -> None:
    seen: list[tuple[str, int, RateLimit]] = []

    def note(name: str, status: int, seconds: float, limit: RateLimit) -> None:
        assert 0 < seconds < 10
        seen.append((name, status, limit))

    reporting = HubSpotClient(TOKEN, api_url=server.url, session=client._session, on_response=note)
    limits = {
        "X-HubSpot-RateLimit-Max": "110",
        "X-HubSpot-RateLimit-Remaining": "7",
        "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
    }
    server.then(
        Reply(200, {"portalId": 1}, limits),
        Reply(429, envelope(), {"X-HubSpot-RateLimit-Max": "many"}),
    )
    reporting.account_details()
    with pytest.raises(RateLimitedError):
        reporting.account_details()
    assert seen == [
        ("account_details", 200, RateLimit(110, 7, 10000)),
        ("account_details", 429, RateLimit(None, None, None)),
    ]
