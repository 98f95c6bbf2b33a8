"""A guess is taken only if it is the only one: nobody is chosen between people."""

import re

import pytest

from shared.phone import InvalidNumberError, PhoneError, find_numbers, parse_phone
from shared.telemetry.redaction import redact_text

READ = {
    "+12025550123": [
        # a digit for an outside line, a menu, a carrier
        *((raw, "US") for raw in ("9-1-202-555-0123", "9 (202) 555-0123", "9 1 202 555 0123")),
        *((raw, "US") for raw in ("8 202 555 0123", "0 202 555 0123", "7 (202) 555-0123")),
        *((raw, "US") for raw in ("5 202 555 0123", "99 1 202 555 0123")),
        *((raw, "US") for raw in ("92025550123", "02025550123", "72025550123")),
        *(
            (raw, "US")
            for raw in ("9,12025550123", "9,,2025550123", "9w12025550123", "9p2025550123")
        ),
        *(("12025550123", region) for region in ("US", "DE", "GB", "FR", "AU")),
        ("0011 1 202 555 0123", "US"),
        ("9 001 202 555 0123", "DE"),
        ("0012025550123", "ID"),
    ],
    "+6281231562064": [("0016281231562064", "ID"), ("007 62 812 3156 2064", "ID")],
    "+442079460018": [
        *(("9 020 7946 0018", "GB"), ("902079460018", "GB"), ("8 020 7946 0018", "GB")),
        *(("9 011 44 20 7946 0018", "US"), ("9011442079460018", "US"), ("442079460018", "US")),
        *(("+44 44 20 7946 0018", "US"), ("+44442079460018", "GB")),
    ],
    "+447400123456": [("+44447400123456", "GB"), ("+44447400123456", "US")],
    "+4915112345678": [
        *((raw, "DE") for raw in ("0 0151 12345678", "9 0151 12345678", "0-0151-12345678")),
        *((raw, "DE") for raw in ("0 (0151) 12345678", "00151 12345678", "8 0151/12345678")),
        *((raw, "DE") for raw in ("0 0049 151 12345678", "0015112345678", "15112345678")),
        *(("4915112345678", region) for region in ("DE", "US", "FR", "GB")),
    ],
    # An American number would begin so; the blanks say that it is none.
    "+4915123456789": [("0 0151 23456789", "DE"), ("0 (0151) 234567-89", "DE")],
    "+33612345678": [("0 06 12 34 56 78", "FR"), ("00612345678", "FR"), ("9 0612345678", "FR")],
    "+551123456789": [("0 11 2345-6789", "BR"), ("11 2345-6789", "BR")],
    "+56987654321": [("9 8765 4321", "CL")],  # a nine that belongs to the number
    "+33601020304": [("6 01 02 03 04", "FR")],
    "+61293743330": [("2 9374 3330", "AU")],
}


@pytest.mark.parametrize(
    ("raw", "region", "e164"),
    [(raw, region, e164) for e164, rows in READ.items() for raw, region in rows],
)
def test_the_only_reading_is_taken(raw: str, region: str, e164: str) -> None:
    assert parse_phone(raw, region).e164 == e164


@pytest.mark.parametrize(
    ("raw", "region", "candidates"),
    [
        # a plus sign or a zero that is missing
        ("33612345678", "DE", ("+49 ***5678 (DE)", "+33 ***5678 (FR)")),
        ("447400123456", "DE", ("+49 ***3456 (DE)", "+44 ***3456 (GB)")),
        ("44 7400 123456", "DE", ("+49 ***3456 (DE)", "+44 ***3456 (GB)")),
        ("33 6 12 34 56 78", "IT", ("+39 ***5678 (IT)", "+33 ***5678 (FR)")),
        ("Call 33612345678", "DE", ("+49 ***5678 (DE)", "+33 ***5678 (FR)")),
        ("15123456789", "DE", ("+49 ***6789 (DE)", "+1 ***6789 (US)")),
        # a country code that a field puts first, before a number of there or of elsewhere
        ("+39 +34 712 345 678", "US", ("+34 ***5678 (ES)", "+39 ***5678 (IT)")),
        # an international prefix of two lengths
        ("00522221234567", "CO", ("+222 ***4567 (MR)", "+52 ***4567 (MX)")),
        ("00113212345678", "GB", ("+1 ***5678 (US)", "+32 ***5678 (BE)")),
        ("0016598234567", "ID", ("+65 ***4567 (SG)", "+1 ***4567 (US)")),
        # a zero that belongs to the number, or is optional
        ("+39 (0)312 345 6789", "US", ("+39 ***6789 (IT)",)),
        # a country code that is doubled, or an area code
        ("494915123456789", "US", ("+49 ***6789 (DE)",)),
        # a plus sign that is missing, or an outside line
        ("912025550123", "US", ("+91 ***0123 (IN)", "+1 ***0123 (US)")),
        ("91 2025550123", "US", ("+91 ***0123 (IN)", "+1 ***0123 (US)")),
        ("91 (202) 555-0123", "US", ("+91 ***0123 (IN)", "+1 ***0123 (US)")),
        ("82025550123", "US", ("+82 ***0123 (KR)", "+1 ***0123 (US)")),
        ("32025550123", "US", ("+32 ***0123 (BE)", "+1 ***0123 (US)")),
        ("7 727 250 1234", "US", ("+7 ***1234 (KZ)", "+1 ***1234 (US)")),
        ("77272501234", "US", ("+7 ***1234 (KZ)", "+1 ***1234 (US)")),
        ("812025550123", "US", ("+81 ***0123 (JP)", "+1 ***0123 (US)")),
        # a mobile number, or an outside line and a landline
        ("8 321 2345", "EE", ("+372 ***2345 (EE)",)),
        ("9 601 123 456", "CZ", ("+420 ***3456 (CZ)",)),
        ("0 312 345 6789", "IT", ("+39 ***6789 (IT)",)),
    ],
)
def test_between_two_people_nobody_is_chosen(
    raw: str, region: str, candidates: tuple[str, ...]
) -> None:
    with pytest.raises(InvalidNumberError, match="more than one phone number") as caught:
        parse_phone(raw, region)
    assert all(candidate in str(caught.value) for candidate in candidates)
    assert "2555" not in str(caught.value)
    assert find_numbers(raw, region) == ()


@pytest.mark.parametrize("raw", ["912025550123", "2025550123 / 3035550199", "202555012345678"])
def test_the_words_may_stand_in_a_log(raw: str) -> None:
    with pytest.raises(InvalidNumberError) as caught:
        parse_phone(raw, "US")
    message = str(caught.value)
    assert redact_text(message) == message
    assert not re.search(r"\d{5}", message)


@pytest.mark.parametrize(
    ("raw", "region"),
    [
        ("call 912025550123", "US"),
        ("442079460018 (London)", "US"),
        ("Unit 9 442079460018", "US"),
        ("dial 9 1 202 555 0123", "GB"),
    ],
)
def test_nothing_is_guessed_from_a_text_with_words(raw: str, region: str) -> None:
    with pytest.raises(InvalidNumberError):
        parse_phone(raw, region)


@pytest.mark.parametrize(
    "raw",
    [
        "2025550123 / 3035550199",
        "2025550123 or 3035550199",
        "2025550123; 3035550199",
        "2025550123,3035550199",
        "+12025550123 / +13035550199",
        "+1 202-555-0123 (cell), +1 303 555 0199 (home)",
        "2025550123\n3035550199",
    ],
)
def test_two_numbers_are_nobodys(raw: str) -> None:
    with pytest.raises(InvalidNumberError, match="more than one phone number") as caught:
        parse_phone(raw, "US")
    assert "+1 ***0123 (US) or +1 ***0199 (US)" in str(caught.value)


def test_the_same_number_twice_is_one() -> None:
    assert parse_phone("+12025550123 / (202) 555-0123", "US").e164 == "+12025550123"


@pytest.mark.parametrize("digit", "0123456789")
@pytest.mark.parametrize("form", ["{} {}", "{}{}", "{}-{}", "{},{}"])
@pytest.mark.parametrize(
    ("number", "region", "code"),
    [
        *(("2025550123", "US", "1"), ("12025550123", "US", "1"), ("7272501234", "US", "1")),
        *(("0151 12345678", "DE", "49"), ("06 12 34 56 78", "FR", "33")),
        *(
            ("020 7946 0018", "GB", "44"),
            ("098765 43210", "IN", "91"),
            ("11 2345-6789", "BR", "55"),
        ),
    ],
)
def test_a_digit_in_front_never_leads_to_another_country(
    digit: str, form: str, number: str, region: str, code: str
) -> None:
    try:
        found = parse_phone(form.format(digit, number), region)
    except PhoneError:
        return
    assert found.e164.startswith(f"+{code}")


@pytest.mark.parametrize(
    ("raw", "region"),
    [("312 345 6789-227", "IT"), ("2026-11-28 09:15", "US"), ("28.11.2026 09:15", "DE")],
)
def test_part_of_a_text_is_not_taken_for_the_number(raw: str, region: str) -> None:
    with pytest.raises(InvalidNumberError):
        parse_phone(raw, region)
    assert find_numbers(raw, region) == ()


@pytest.mark.parametrize("raw", ["0011 20 2555 0123", "001120 25550123"])
def test_prefix_of_the_region_that_leaves_one_reading_is_taken(raw: str) -> None:
    assert parse_phone(raw, "AU").e164 == "+2025550123"
