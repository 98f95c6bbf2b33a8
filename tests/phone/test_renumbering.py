"""A number before and after its country's renumbering is one number."""

import phonenumbers
import pytest

from shared.phone import InvalidNumberError, find_numbers, parse_phone

# Taken from what the regulators published, not from our table: earlier, today's.
ONE_NUMBER = [
    # Brazil, 2012 to 2016
    ("+55 11 8765 4321", "+55 11 98765 4321"),
    ("+55 21 6123 4567", "+55 21 96123 4567"),
    ("+55 51 9876 5432", "+55 51 99876 5432"),
    ("+55 98 8123 4567", "+55 98 98123 4567"),
    # Benin, 2024
    ("+229 97 12 34 56", "+229 01 97 12 34 56"),
    ("+229 61 12 34 56", "+229 01 61 12 34 56"),
    ("+229 21 30 12 34", "+229 01 21 30 12 34"),
    # Côte d'Ivoire, 2021
    ("+225 07 12 34 56", "+225 07 07 12 34 56"),
    ("+225 48 12 34 56", "+225 07 48 12 34 56"),
    ("+225 05 12 34 56", "+225 05 05 12 34 56"),
    ("+225 75 12 34 56", "+225 05 75 12 34 56"),
    ("+225 01 12 34 56", "+225 01 01 12 34 56"),
    ("+225 52 12 34 56", "+225 01 52 12 34 56"),
    ("+225 20 21 23 45", "+225 27 20 21 23 45"),
    ("+225 22 01 23 45", "+225 25 22 01 23 45"),
    ("+225 20 81 23 45", "+225 21 20 81 23 45"),
    # Vietnam, 2018 and 2017
    ("+84 120 123 4567", "+84 70 123 4567"),
    ("+84 121 123 4567", "+84 79 123 4567"),
    ("+84 127 123 4567", "+84 81 123 4567"),
    ("+84 168 123 4567", "+84 38 123 4567"),
    ("+84 188 123 4567", "+84 58 123 4567"),
    ("+84 199 123 4567", "+84 59 123 4567"),
    ("+84 4 3825 1234", "+84 24 3825 1234"),
    ("+84 511 382 1234", "+84 236 382 1234"),
    ("+84 61 382 1234", "+84 251 382 1234"),
    # Mexico, 2019
    ("+52 1 55 1234 5678", "+52 55 1234 5678"),
    ("+52 1 33 1234 5678", "+52 33 1234 5678"),
    # Argentina: 15 within the country, 9 from abroad
    ("+54 11 15 2345 6789", "+54 9 11 2345 6789"),
    ("+54 351 15 234 5678", "+54 9 351 234 5678"),
    # Colombia, 2021
    ("+57 1 234 5678", "+57 601 234 5678"),
    ("+57 4 234 5678", "+57 604 234 5678"),
    # Nigeria, 2024
    ("+234 1 227 0000", "+234 201 227 0000"),
    # Gabon, 2019
    ("+241 06 03 12 34", "+241 66 03 12 34"),
    ("+241 07 12 34 56", "+241 77 12 34 56"),
    ("+241 01 44 12 34", "+241 11 44 12 34"),
    # Cameroon, 2014
    ("+237 77 12 34 56", "+237 6 77 12 34 56"),
    ("+237 99 12 34 56", "+237 6 99 12 34 56"),
    # Mauritius, 2013
    ("+230 251 2345", "+230 5251 2345"),
]


@pytest.mark.parametrize(("earlier", "today"), ONE_NUMBER)
def test_a_number_is_the_same_before_and_after(earlier: str, today: str) -> None:
    before, after = parse_phone(earlier, "US"), parse_phone(today, "US")
    assert before == after
    assert after.e164 == "+" + "".join(filter(str.isdigit, today))
    assert parse_phone(earlier.replace(" ", ""), "US") == after  # the short way of plain E.164
    assert [number.e164 for number in find_numbers(earlier, "US")] == [after.e164]


@pytest.mark.parametrize(
    ("earlier", "today"), [row for row in ONE_NUMBER if not row[0].startswith("+54")]
)
def test_hubspot_is_searched_for_both_forms(earlier: str, today: str) -> None:
    number = parse_phone(today, "US")
    assert number.earlier_e164s == (earlier.replace(" ", ""),)
    parsed = phonenumbers.parse(earlier)
    code = str(parsed.country_code)
    assert earlier.replace(" ", "").removeprefix(f"+{code}") in number.national_digits
    assert number.e164.removeprefix(f"+{code}") in number.national_digits


@pytest.mark.parametrize(
    ("raw", "region", "e164"),
    [
        ("(11) 8765-4321", "BR", "+5511987654321"),
        ("97 12 34 56", "BJ", "+2290197123456"),
        ("07 12 34 56", "CI", "+2250707123456"),
        ("0120 123 4567", "VN", "+84701234567"),
        ("044 55 1234 5678", "MX", "+525512345678"),
        ("045 55 1234 5678", "MX", "+525512345678"),
        ("01 55 1234 5678", "MX", "+525512345678"),
        ("1 55 1234 5678", "MX", "+525512345678"),
        ("5215512345678", "MX", "+525512345678"),
        ("011 15-2345-6789", "AR", "+5491123456789"),
        ("06 03 12 34", "GA", "+24166031234"),
        ("01 227 0000", "NG", "+2342012270000"),
    ],
)
def test_the_earlier_form_is_read_within_the_country_too(raw: str, region: str, e164: str) -> None:
    assert parse_phone(raw, region).e164 == e164


@pytest.mark.parametrize(
    "number",
    [
        "+551177654321",  # Nextel: kept its eight digits
        "+84838251234",  # a mobile number of today; an area code 8 and 38251234 before
        "+84701234567",  # a mobile number of today; the area code of Vĩnh Long before
        "+541123456789",  # a landline: no mobile number without its 9
        "+551123456789",  # a landline of eight digits
        "+237242123456",
    ],
)
def test_a_number_that_somebody_has_today_is_not_taken_for_an_earlier_one(number: str) -> None:
    assert parse_phone(number, "US").e164 == number


@pytest.mark.parametrize(
    ("number", "region"), [("+552712345678", "BR"), ("+22513123456", "CI"), ("+84123", "VN")]
)
def test_what_was_no_number_before_is_none_today(number: str, region: str) -> None:
    try:
        found = parse_phone(number, region)
    except InvalidNumberError:
        return
    assert found.e164 == number


def test_no_number_of_today_is_another_ones_earlier_form() -> None:
    for region in phonenumbers.SUPPORTED_REGIONS:
        for kind in phonenumbers.PhoneNumberType.values():
            example = phonenumbers.example_number_for_type(region, kind)
            if example is None or not phonenumbers.is_valid_number(example):
                continue
            e164 = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
            for earlier in parse_phone(e164, region).earlier_e164s:
                assert parse_phone(earlier, region) == parse_phone(e164, region)
