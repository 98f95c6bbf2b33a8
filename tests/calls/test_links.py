"""What signs and dates a link is told from what names the recording."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.calls.links import find_expiry, strip_signature

PLAIN = "https://h.example/a%20b.mp3?track=2"


@pytest.mark.parametrize(
    ("signing", "until"),
    [
        (
            (
                "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=k%2F20261122&"
                "X-Amz-Date=20261122T100000Z&X-Amz-Expires=3600&X-Amz-Signature=ab"
            ),
            datetime(2026, 11, 22, 11, tzinfo=UTC),
        ),
        (
            "x-goog-date=20261122T100000Z&x-goog-expires=60&x-goog-signature=ab",
            datetime(2026, 11, 22, 10, 1, tzinfo=UTC),
        ),
        (
            "AWSAccessKeyId=k&Expires=1795341600&Signature=ab%3D",
            datetime(2026, 11, 22, 10, tzinfo=UTC),
        ),
        (
            "GoogleAccessId=k&Expires=1795341600&Signature=ab",
            datetime(2026, 11, 22, 10, tzinfo=UTC),
        ),
        ("Key-Pair-Id=k&Policy=eyJ9&Signature=ab", None),
        (
            (
                "sv=2024-11-04&st=2026-11-22T09%3A00%3A00Z&se=2026-11-22T10%3A00%3A00Z&sr=b&sp=r&"
                "spr=https&sig=ab"
            ),
            datetime(2026, 11, 22, 10, tzinfo=UTC),
        ),
        ("", None),
    ],
    ids=["aws4", "google4", "aws2", "google2", "cloudfront", "azure", "plain"],
)
def test_signature_is_taken_off_and_its_end_is_read(signing: str, until: datetime | None) -> None:
    link = f"{PLAIN}&{signing}" if signing else PLAIN
    assert strip_signature(link) == PLAIN
    assert find_expiry(link) == until


@pytest.mark.parametrize(
    "link",
    [
        "https://h.example/a.mp3?st=1&sp=2",  # Azure's names, and nothing that is signed
        "https://h.example/a.mp3",
        "http://[",
        "",
    ],
)
def test_link_that_is_not_signed_stays_as_it_is(link: str) -> None:
    assert strip_signature(link) == link
    assert find_expiry(link) is None


@pytest.mark.parametrize(
    "signing",
    [
        f"Expires={'9' * 5000}",
        f"Expires={'9' * 18}",
        "Expires=soon",
        "Expires=-1e9",
        "X-Amz-Date=20269999T000000Z&X-Amz-Expires=60",
        f"X-Amz-Date=20261122T000000Z&X-Amz-Expires={'9' * 18}",
        "se=never&sig=a",
    ],
)
def test_end_that_cannot_be_read_counts_as_unstated(signing: str) -> None:
    assert find_expiry(f"{PLAIN}&{signing}") is None


@given(st.text())
def test_any_text_is_survived(text: str) -> None:
    find_expiry(text)
    assert strip_signature(strip_signature(text)) == strip_signature(text)
