import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.phone import mask_phone


@pytest.mark.parametrize(
    ("raw", "masked"),
    [
        ("+1 202-555-0123", "***0123"),
        ("911", "***1"),
        ("12345", "***45"),
        ("sip:alice@pbx.example.com", "***"),
        ("", "***"),
        (None, "***"),
    ],
)
def test_only_the_last_digits_are_shown(raw: str | None, masked: str) -> None:
    assert mask_phone(raw) == masked


@given(st.text())
def test_no_more_than_half_of_the_digits_is_ever_shown(raw: str) -> None:
    shown = re.sub(r"\D", "", mask_phone(raw))
    assert len(shown) <= min(4, len(re.sub(r"\D", "", raw)) / 2)
