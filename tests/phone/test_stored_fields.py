import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.phone import SUPPORTED_REGIONS, PhoneError, find_numbers, parse_phone


@pytest.mark.parametrize(
    ("text", "region", "e164s"),
    [
        ("+31 6 12345678 / +31 6 12345699", "US", ["+31612345678", "+31612345699"]),
        ("+31 6 12345678 or +31 6 12345699", "US", ["+31612345678", "+31612345699"]),
        ("06 12345678 of 06 12345699", "NL", ["+31612345678", "+31612345699"]),
        ("06-12345678/06-12345699", "NL", ["+31612345678", "+31612345699"]),
        ("+31612345678 +31612345699", "US", ["+31612345678", "+31612345699"]),
        ("020 7946 0018; 020 7946 0019", "GB", ["+442079460018", "+442079460019"]),
        ("020 7946 0018, 07400 123456 (mob)", "GB", ["+442079460018", "+447400123456"]),
        ("020 7946 0018\n07400 123456", "GB", ["+442079460018", "+447400123456"]),
        ("Home 020 7946 0018 Work 07400 123456", "GB", ["+442079460018", "+447400123456"]),
        ("030/901820 - 0151/12345678", "DE", ["+4930901820", "+4915112345678"]),
        ("+49 1512 3456789 (mobile)", "US", ["+4915123456789"]),
        ("(mobile) +49 1512 3456789", "US", ["+4915123456789"]),
        ("+49 1512 3456789 *preferred*", "US", ["+4915123456789"]),
        ("*work* +49 1512 3456789", "US", ["+4915123456789"]),
        ("+49 1512 345****", "US", []),
        ("Order 491512345 +4915123456789", "DE", ["+4915123456789"]),
        ("+4915123456789 (Kunden-Nr. 030901820)", "DE", ["+4915123456789"]),
        ("Invoice no: 2025550199, call 202-555-0123", "US", ["+12025550123"]),
        ("Order 77 202-555-0123", "US", ["+12025550123"]),
        ("Customer 202-555-0123", "US", ["+12025550123"]),
        ("Home (202) 555-0123 Cell +1 202 555 0199", "US", ["+12025550123", "+12025550199"]),
        ("Ticket 2025550199", "US", []),
        ("+44447400123456", "US", ["+447400123456"]),
        ("030/901820", "DE", ["+4930901820"]),
        ("+49 30 901820 (since 2019-05-01)", "DE", ["+4930901820"]),
        ("020 7946 0018 ext 1234567", "GB", ["+442079460018"]),
        ("(202) 555-0123 x5", "US", ["+12025550123"]),
        ("1-800-FLOWERS", "US", ["+18003569377"]),
        ("tel:2025550123;phone-context=+1", "DE", ["+12025550123"]),
        ("+1 202 555 0123 / +1 303 555 ****", "US", ["+12025550123"]),
        ("bob2025550123@example.com", "US", []),
        ("anonymous", "US", []),
        ("ask at the desk, room 2025", "US", []),
        (None, "US", []),
        ("1 " * 1000, "US", []),
    ],
)
def test_every_number_of_a_field_is_found(text: str | None, region: str, e164s: list[str]) -> None:
    assert [number.e164 for number in find_numbers(text, region)] == e164s


_FIELD = st.text(alphabet="0123456789+()-. /#*x,;:@<>\"'orext\n", max_size=60)


@given(text=st.text() | _FIELD, region=st.sampled_from(sorted(SUPPORTED_REGIONS)))
def test_what_can_be_read_as_one_number_is_found(text: str, region: str) -> None:
    found = find_numbers(text, region)
    try:
        number = parse_phone(text, region)
    except PhoneError:
        return
    assert number in found
