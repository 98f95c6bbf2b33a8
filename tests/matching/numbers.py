"""Phone numbers for tests."""

import phonenumbers
from hypothesis import strategies as st

from shared.phone import PhoneNumber, parse_phone

_EXAMPLES = {
    region: phonenumbers.example_number(region)
    for region in ("US", "GB", "DE", "IT", "FR", "BR", "SG", "AT", "MX", "NG")
}


def number(raw: str) -> PhoneNumber:
    return parse_phone(raw, "US")


def washington(last: int) -> PhoneNumber:
    """A number of Washington, D.C.; `last` is below 1,000,000."""
    return number(f"+1202{4_000_000 + last}")


def any_number() -> st.SearchStrategy[PhoneNumber]:
    """Real-looking numbers of countries with short, long, trunk-zero and Italian numbers."""
    e164s = [
        phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
        for example in _EXAMPLES.values()
        if example
    ]
    return st.builds(
        lambda e164, tail: number(e164[:-4] + f"{tail:04}"),
        st.sampled_from(e164s),
        st.integers(0, 9999),
    )
