"""A piece of a number stays whole however people group its digits."""

import re

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.matching.pieces import MOST_PIECES, pieces_of
from shared.phone import PhoneNumber, parse_phone
from tests.matching.clutter import (
    Choice,
    domestic,
    e164,
    international,
    lump,
    regroup,
    trunk_in_brackets,
    without_plus,
)
from tests.matching.generate_numbers import REGIONS, SEED


def spellings(number: phonenumbers.PhoneNumber) -> list[str]:
    choice = Choice(SEED)
    own = [e164, international, domestic]
    return [form(number) for form in own] + [
        form(number, choice) for form in (lump, trunk_in_brackets, without_plus)
    ]


def has(piece: str, text: str) -> bool:
    return any(piece in token for token in re.findall(r"\w+", text))


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("kind", ["MOBILE", "FIXED_LINE"])
def test_every_usual_spelling_has_every_piece_in_a_token(region: str, kind: str) -> None:
    number = phonenumbers.example_number_for_type(
        region, getattr(phonenumbers.PhoneNumberType, kind)
    )
    assert number is not None
    pieces = pieces_of(parse_phone(e164(number), "US"))
    assert pieces
    for text in spellings(number):
        assert all(has(piece, text) for piece in pieces), (text, pieces)


@pytest.mark.parametrize("region", ["DE", "GB", "FR", "IT", "ES", "NO", "SG", "NL", "AU"])
@pytest.mark.parametrize("size", [2, 3, 4])
def test_the_first_piece_survives_pairs_threes_and_fours(region: str, size: int) -> None:
    number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    assert number is not None
    first, *_ = pieces_of(parse_phone(e164(number), "US"))
    assert has(first, regroup(number, size))


def test_pieces_are_of_the_digits_that_a_renumbering_left_alone() -> None:
    today = parse_phone("+5511987654321", "BR")
    pieces = pieces_of(today)
    assert today.earlier_e164s
    for form in (today.e164, *today.earlier_e164s):
        assert all(piece in form for piece in pieces)


@given(st.integers(2_000_000_000, 9_999_999_999))
@settings(max_examples=50, deadline=None)
def test_pieces_of_any_number_are_few_and_long_enough_to_tell(national: int) -> None:
    digits = str(national)
    number = PhoneNumber(f"+1{digits}", (digits,), names_country=True)
    pieces = pieces_of(number)
    assert 1 <= len(pieces) <= MOST_PIECES
    assert all(len(piece) >= 2 and piece in digits for piece in pieces)
