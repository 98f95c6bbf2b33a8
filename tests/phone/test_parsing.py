import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.phone import (
    SUPPORTED_REGIONS,
    InvalidNumberError,
    PhoneError,
    PhoneNumber,
    WithheldNumberError,
    parse_phone,
)

ONE_NUMBER = {
    "+12025550123": [
        ("+12025550123", "GB"),
        ("2025550123", "US"),
        ("(202) 555-0123", "US"),
        ("202.555.0123", "US"),
        ("1-202-555-0123", "US"),
        ("12025550123", "DE"),
        ("001 202 555 0123", "FR"),
        ("011 1 202 555 0123", "DE"),
        ("+1 +1 202 555 0123", "US"),
        ("+1 1 202 555 0123", "GB"),
        ("202-555-0123 x5", "US"),
        ("202-555-0123 ext. 512", "US"),
        ("202-555-0123 poste 12", "US"),
        ("+1 202 555 0123;ext=5", "GB"),
        ("2025550123,,55#", "US"),
        ("+1 (202) 555-0123 (mobile)", "GB"),
        ("Office: 202-555-0123", "US"),
        ("＋１（２０２）５５５－０１２３", "GB"),
        ("\u202a+1 202 555 0123\u202c", "GB"),
        ("+1\u00a0202\u00a0555\u00a00123", "GB"),
        ("202\u202c555\u202c0123", "US"),
        ("sip:+12025550123@pbx.example.com:5060;user=phone", "GB"),
        ("SIPS:%2B12025550123@pbx.example.com", "GB"),
        ('"Ann" <sip:2025550123@10.0.0.7>', "US"),
        ("sip:+12025550123", "GB"),
        ("2025550123@voice.example.com", "US"),
        ("tel:+1-202-555-0123", "GB"),
        ("tel:2025550123;phone-context=+1", "GB"),
        ("whatsapp:+12025550123", "GB"),
    ],
    "+442079460018": [
        ("020 7946 0018", "GB"),
        ("+44 (0)20 7946 0018", "US"),
        ("+44 020 7946 0018", "US"),
        ("0044 (0) 20 7946 0018", "US"),
        ("011 44 20 7946 0018", "US"),
        ("0011 44 20 7946 0018", "US"),
        ("+1 +44 20 7946 0018", "US"),
        ("010 44 20 7946 0018", "JP"),
        ("442079460018", "US"),
        ("+44 44 20 7946 0018", "GB"),
        ("٠٢٠٧٩٤٦٠٠١٨", "GB"),
    ],
    "+4930901820": [
        ("030/901820", "DE"),
        ("+49 (30) 90-18-20", "US"),
        ("+4949 30 901820", "DE"),
        ("0049 49 30 901820", "DE"),
        ("+49 0049 30 901820", "US"),
        ("+0049 30 901820", "US"),
        ("030 901820 Büro", "DE"),
    ],
    "+4915112345678": [("4915112345678", "DE"), ("15112345678", "DE"), ("0151-12345678", "DE")],
    "+390612345678": [
        ("06 1234 5678", "IT"),
        ("+39 06 1234 5678", "US"),
        ("+3939 0612345678", "US"),
    ],
    "+525512345678": [("+52 1 55 1234 5678", "US"), ("55 1234 5678", "MX")],
    "+5491123456789": [("011 15-2345-6789", "AR"), ("+54 9 11 2345 6789", "US")],
    "+74951234567": [("8 (495) 123-45-67", "RU"), ("+7 7 495 123 45 67", "US")],
    "+18003569377": [("1-800-FLOWERS", "US")],
}


@pytest.mark.parametrize(
    ("raw", "region", "e164"),
    [(raw, region, e164) for e164, rows in ONE_NUMBER.items() for raw, region in rows],
)
def test_every_spelling_of_a_number_is_the_same_number(raw: str, region: str, e164: str) -> None:
    assert parse_phone(raw, region).e164 == e164


@pytest.mark.parametrize("raw", ["+15551234567", "+1 202 555 0100", "+447700900123"])
def test_fictional_numbers_are_numbers(raw: str) -> None:
    assert parse_phone(raw, "US").e164 == raw.replace(" ", "")


@pytest.mark.parametrize(
    "raw",
    [
        *(None, "", "  ", "\u200e", "-", "+", "tel:", "0", "000-000-0000"),
        *("anonymous", "Anonymous Caller", "UNKNOWN", "Restricted", "Private Number", "blocked"),
        *("withheld", "Unavailable", "No Caller ID", "N/A", "null", "undefined", "unbekannt"),
        "ｐｒｉｖａｔｅ",
        *("+266696687", "266696687", "+86282452253", "+2562533", "+8566696", "+7378742833"),
        *("sip:anonymous@anonymous.invalid", '"Anonymous" <sip:Anonymous@10.0.0.7>'),
    ],
)
def test_withheld_numbers_are_told_from_wrong_ones(raw: str | None) -> None:
    with pytest.raises(WithheldNumberError):
        parse_phone(raw, "US")


def test_a_number_in_austin_is_not_the_keypad_spelling_of_restricted() -> None:
    assert parse_phone("737-874-2833", "US").e164 == "+17378742833"


@pytest.mark.parametrize(
    ("raw", "region"),
    [
        ("911", "US"),
        ("112", "DE"),
        ("22000", "DE"),
        ("555-0123", "US"),
        ("+1 202 555 012", "US"),
        ("+1 202 555 0123 4567", "US"),
        ("+999 1234567", "US"),
        ("999 999 9999", "US"),
        # Masked, as carriers and privacy settings do it.
        ("+1 202 555 ****", "US"),
        ("202555XXXX", "US"),
        ("+49 30 90•••", "DE"),
        ("sip:alice@pbx.example.com", "US"),
        ("sip:bob2025550123@pbx.example.com", "US"),
        ("sip:192.168.100.200", "DE"),
        ("alice42@example.com", "US"),
        ("client:agent_7", "US"),
        ("call me", "US"),
        ("20251122100000", "DE"),
    ],
)
def test_what_is_no_full_number_is_invalid(raw: str, region: str) -> None:
    with pytest.raises(InvalidNumberError):
        parse_phone(raw, region)


def test_a_text_too_long_to_be_a_number_is_not_read() -> None:
    with pytest.raises(InvalidNumberError, match="too long"):
        parse_phone("1 " * 1_000_000, "US")


@pytest.mark.parametrize("raw", ["+1 202 555 01234567", "202555012"])
def test_the_message_shows_no_more_than_the_last_digits(raw: str) -> None:
    with pytest.raises(InvalidNumberError) as caught:
        parse_phone(raw, "US")
    assert "***" + raw[-4:] in str(caught.value)
    assert "555" not in str(caught.value)


def test_the_zero_of_an_italian_number_is_searched_with_and_without() -> None:
    assert parse_phone("+39 06 1234 5678", "US").national_digits == ("0612345678", "612345678")
    assert parse_phone("+44 20 7946 0018", "US").national_digits == ("2079460018",)


@pytest.mark.parametrize(
    ("raw", "region", "names_country"),
    [
        ("+44 20 7946 0018", "US", True),
        ("0044 20 7946 0018", "GB", True),
        ("020 7946 0018", "GB", False),
        ("011 15-2345-6789", "AR", False),
    ],
)
def test_a_number_knows_whether_its_country_was_written(
    raw: str, region: str, *, names_country: bool
) -> None:
    assert parse_phone(raw, region).names_country is names_country


def test_how_a_number_was_written_is_no_part_of_it() -> None:
    assert parse_phone("020 7946 0018", "GB") == parse_phone("+44 20 7946 0018", "GB")


_PHONE_LIKE = st.text(alphabet="0123456789+()-. /#*x,;:@<>spteliＡ０９٣%\u200e", max_size=40)


@given(
    raw=st.one_of(st.none(), st.text(), _PHONE_LIKE),
    region=st.sampled_from(sorted(SUPPORTED_REGIONS)),
)
def test_any_text_is_a_number_or_one_of_two_errors(raw: str | None, region: str) -> None:
    try:
        number = parse_phone(raw, region)
    except (WithheldNumberError, InvalidNumberError):
        return
    assert number.e164.removeprefix("+").isdecimal()
    assert number.e164.endswith(number.national_digits)


@given(
    digits=st.integers(min_value=2_000_000_000, max_value=9_999_999_999),
    written=st.sampled_from(["+1{}", "001{}", "+1 +1 {}", "＋1{}", "sip:+1{}@host", "{} ext 7"]),
)
def test_reading_a_number_again_changes_nothing(digits: int, written: str) -> None:
    try:
        number = parse_phone(written.format(digits), "US")
    except InvalidNumberError:
        return
    assert parse_phone(number.e164, "DE") == number


@given(
    text=st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True),
    region=st.sampled_from(["US", "DE", "IT"]),
)
@example(text="+266696687", region="US")
@example(text="+86282452253", region="US")
@example(text="+7378742833", region="US")
@example(text="+112025550123", region="US")
@example(text="+4402079460123", region="US")
def test_a_number_in_e164_is_read_as_any_other_spelling(text: str, region: str) -> None:
    def read(raw: str) -> PhoneNumber | type[PhoneError]:
        try:
            return parse_phone(raw, region)
        except PhoneError as error:
            return type(error)

    assert read(text) == read(f" {text}")  # with a space it is looked at like anything else
