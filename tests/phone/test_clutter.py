"""Digits around a number that are not the number's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.phone import InvalidNumberError, WithheldNumberError, parse_phone

US = "+12025550123"
DE = "+4915112345678"
FR = "+33612345678"

READ = {
    US: [
        # what stands in brackets, or begins at the one plus
        ('"Unit 9" <+12025550123>', "US"),
        ("Unit 9 <+12025550123>", "IN"),
        ("“Unit 9” +12025550123", "US"),
        ("'Team 4' +12025550123", "US"),
        ('+12025550123 "Bob 5"', "US"),
        ('"Floor 3" <sip:+12025550123@10.0.0.7:5060;user=phone>', "DE"),
        ('"Line 2" <2025550123>', "US"),
        ("Call 4 +12025550123", "US"),
        ("9+12025550123", "US"),
        ("Ref 12345678 +12025550123", "NO"),
        # words and what belongs to them
        ("Unit 9 2025550123", "US"),
        ("Unit #9 202-555-0123", "US"),
        ("Line 2: 202-555-0123", "US"),
        ("Line 2 - 202-555-0123", "US"),
        ("Ext 5 (202) 555-0123", "US"),
        ("Ext. 5, 202-555-0123", "US"),
        ("Room 12, 202-555-0123", "US"),
        ("(Unit 9) 202-555-0123", "US"),
        ("4 Seasons 202-555-0123", "US"),
        ("Team2025 202-555-0123", "US"),
        ("202-555-0123 (Unit 9)", "US"),
        ("202-555-0123 since 2019-05-01", "US"),
        # dates, times and opening hours
        ("2026-11-28 09:15 202-555-0123", "US"),
        ("2026-11-28T09:15:00Z 202-555-0123", "US"),
        ("11/28/2026 (202) 555-0123", "US"),
        ("202-555-0123 09:15:22", "US"),
        ("28 Nov 2026 9am 202-555-0123", "US"),
        ("202-555-0123 24/7", "US"),
        ("202-555-0123 2nd floor", "US"),
        ("2025550123.000000", "US"),
        # extensions
        ("202-555-0123/227", "US"),
        ("202-555-0123 (227)", "US"),
        ("(202) 555-0123 (22)", "US"),
        ("202-555-0123 - 227", "US"),
        ("202-555-0123 – 227", "US"),
        ("*82-202-555-0123", "US"),
        ("+12025550123 / 227", "DE"),
        ("202-555-0123*227", "US"),
        ("202-555-0123 *227", "US"),
        ("202-555-0123 x 12", "US"),
        ("202-555-0123x12", "US"),
        ("202-555-0123#12", "US"),
        ("202-555-0123 (ext. 12)", "US"),
        ("202-555-0123 extn: 1234567", "US"),
        ("2025550123,,12#", "US"),
        ("2025550123p12", "US"),
        ("2025550123 ramal 12", "US"),
        ("2025550123 anexo 12", "US"),
        ("2025550123 доб. 12", "US"),
        ("2025550123 内線12", "US"),
        ("+12025550123;ext=12", "DE"),
        # out of a spreadsheet
        ("2025550123.0", "US"),
        ("2025550123.00", "US"),
        ("2025550123,0", "US"),
        ("12025550123.0", "US"),
        ("+12025550123.0", "DE"),
        ("'2025550123", "US"),
        ('="2025550123"', "US"),
        ("=2025550123", "US"),
        ("2,025,550,123", "US"),
        ("2,025,550,123.00", "US"),
        ("2.025.550.123,00", "US"),
        ("2'025'550'123", "US"),
        ("2\u00a0025\u00a0550\u00a0123", "US"),
        ("2\u202f025\u202f550\u202f123,00", "US"),
        # service codes and pauses of dial strings
        ("*67 202 555 0123", "US"),
        ("*67,2025550123", "US"),
        ("#31#2025550123", "US"),
    ],
    DE: [
        ("4 915 112 345 678", "DE"),
        ("4\u202f915\u202f112\u202f345\u202f678", "FR"),
        ("4.915.112.345.678", "DE"),  # German spreadsheets group thousands so
        ("28.11.2026 09:15 Uhr: 0151 12345678", "DE"),
        ("0151 12345678 3rd floor", "DE"),
        ("15112345678.0", "DE"),
        ("4915112345678.0", "DE"),
        ("Team 12 0151 12345678", "DE"),
        ("0151 12345678 Durchwahl 12", "DE"),
        ("0151 12345678 Apparat 7", "DE"),
        ("Mobil 15112345678", "DE"),
    ],
    FR: [
        ('"Team 4" <+33612345678>', "FR"),
        ("Team 4 06 12 34 56 78", "FR"),
        ("Bureau 4 : 06 12 34 56 78", "FR"),
        ("06 12 34 56 78 poste 4", "FR"),
        ("3651 06 12 34 56 78", "FR"),
        ("+33 6 12 34 56 78 (12)", "US"),
        ("612345678.0", "FR"),
    ],
    "+4930901820": [("30901820.0", "DE"), ("Tel. 030 901820", "DE"), ("030,901820", "DE")],
    "+4930123456": [(f"030 123456 {x}", "DE") for x in ("9am", "09:15", "2nd", "24/7")],
    "+61412345678": [("1831 0412 345 678", "AU"), ("1832,0412345678", "AU")],
    "+447400123456": [("1470 07400 123456", "GB"), ("141 07400 123456", "GB")],
    "+34612345678": [("+34 (0)612 34 56 78", "DE")],
    "+390669812345": [("+39 (0)6 698 12345", "DE")],
    "+393123456789": [("312 345 6789 24/7", "IT")],
    "+49309018200": [("030 901820-0", "DE")],
    "+390612345678": [("612345678", "IT"), ("612345678.0", "IT")],
    "+33612345600": [("06.12.34.56.00", "FR")],
    "+33142685300": [("Tél. 01 42 68 53 00", "FR")],
}


@pytest.mark.parametrize(
    ("raw", "region", "e164"),
    [(raw, region, e164) for e164, rows in READ.items() for raw, region in rows],
)
def test_the_number_is_read_without_what_stands_around_it(raw: str, region: str, e164: str) -> None:
    assert parse_phone(raw, region).e164 == e164


@pytest.mark.parametrize(
    "raw",
    ["4.915112345678E+12", "2.025550123E9", "4.9E+12", "2,02E+09", "4.9e12", "2.02 x 10^9", "2E9"],
)
@pytest.mark.parametrize("region", ["US", "DE", "IN"])
def test_an_exponent_has_lost_digits(raw: str, region: str) -> None:
    with pytest.raises(InvalidNumberError, match="spreadsheet"):
        parse_phone(raw, region)


@pytest.mark.parametrize(
    ("raw", "region", "words"),
    [
        ("2025550123.5", "US", "fraction"),
        ("+1 202 555 ****", "US", "masked"),
        ("+1202555****", "US", "masked"),
        ("202555012X", "US", "masked"),
        ("030 90182X", "DE", "masked"),
        ("+49 30 90182•", "DE", "masked"),
        ("202555????", "US", "masked"),
        ("+49 30 901***20", "DE", "masked"),
        ("(***) ***-0105", "US", "masked"),
        ("506*555*6771", "US", "full phone number"),
        ("303 Bob 2025", "US", "full phone number"),
        ("alice42@example.com 5", "US", "internet address"),
        ("9 555 012 3", "US", "full phone number"),
    ],
)
def test_what_is_wrong_is_said(raw: str, region: str, words: str) -> None:
    with pytest.raises(InvalidNumberError, match=words):
        parse_phone(raw, region)


@pytest.mark.parametrize(
    "raw", ['"Unit 9" <anonymous>', '"+12025550123" <anonymous>', "Private caller (line 2)"]
)
def test_a_name_with_digits_does_not_make_a_number_of_a_withheld_one(raw: str) -> None:
    with pytest.raises(WithheldNumberError):
        parse_phone(raw, "US")


_NAMES = st.text(
    st.characters(categories=["L", "N", "P", "S", "Z"], exclude_characters='"<>@“”„«»'),
    max_size=30,
)


@given(
    name=_NAMES | st.from_regex(r"(Unit|Team|Line|Ext\.?) [0-9]{1,4}", fullmatch=True),
    number=st.sampled_from([(US, "US"), (FR, "FR"), (DE, "DE"), ("+5511987654321", "BR")]),
    form=st.sampled_from(['"{}" <{}>', '"{}" {}', "{} <{}>"]),
    region=st.sampled_from(["US", "FR", "DE", "IN", "IT", "NO"]),
)
def test_a_display_name_never_changes_the_number(
    name: str, number: tuple[str, str], form: str, region: str
) -> None:
    assert parse_phone(form.format(name, number[0]), region).e164 == number[0]
