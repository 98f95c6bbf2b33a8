"""Every region's example numbers, in clutter: they read as themselves, or as nobody's.

The numbers come from the numbering metadata, the clutter from real life; nothing here knows how
texts are read.
"""

from collections.abc import Iterator
from itertools import cycle

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from shared.phone import SUPPORTED_REGIONS, PhoneError, parse_phone

REGIONS = sorted(SUPPORTED_REGIONS - {"GA"})  # its examples are of before the renumbering

AS_ITSELF = [
    *("{e164}", "{international}", "{national}", '"Unit 9" <{e164}>', "Team 4 {e164}"),
    *("{international} (mobile)", "{national} (home)", "tel:{e164}", "sip:{e164}@10.0.0.7:5060"),
    *("{e164};ext=5", "{international} ext. 12", "{national} x5", "{international}*227"),
    *("+{code} {e164}", "{e164}.0", "'{e164}", '="{e164}"', "{international} / {international}"),
]
AS_ITSELF_OR_NOBODY = [
    *("9 {national}", "0 {national}", "8 {national}", "7 {national}", "5 {national}"),
    *("9-{national}", "9,{dialled}", "99 {national}", "12 {national}", "9 {code} {national}"),
    *("Unit 9 {national}", "Line 2: {national}", "{significant}.0", "{plain}", "{plain}.0"),
    *("00{plain}", "+{code}{plain}", "{significant}.5", "{national},,12#", "{national} 9"),
    *("9{dialled}", "1{dialled}", "3{dialled}", "8{dialled}", "7{dialled}", "9 {significant}"),
]


def _examples() -> Iterator[tuple[str, phonenumbers.PhoneNumber]]:
    kinds = cycle((PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE))
    for region, kind in zip(REGIONS, kinds, strict=False):
        example = phonenumbers.example_number_for_type(region, kind)
        if example is not None:
            yield region, example


def _write(form: str, number: phonenumbers.PhoneNumber) -> str:
    national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return form.format(
        e164=e164,
        plain=e164[1:],
        national=national,
        international=phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL),
        dialled="".join(filter(str.isdigit, national)),
        significant=phonenumbers.national_significant_number(number),
        code=number.country_code,
    )


@pytest.mark.parametrize("form", AS_ITSELF)
def test_a_number_is_read_as_itself(form: str) -> None:
    for region, number in _examples():
        e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        assert parse_phone(_write(form, number), region).e164 == e164


@pytest.mark.parametrize("form", AS_ITSELF_OR_NOBODY)
def test_clutter_never_makes_it_a_number_of_another_country(form: str) -> None:
    for region, number in _examples():
        text = _write(form, number)
        try:
            found = phonenumbers.parse(parse_phone(text, region).e164)
        except PhoneError:
            continue
        assert found.country_code == number.country_code, (text, region, found)
