from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.configuration.settings import MatchPolicy
from shared.hubspot.models import MAX_SEARCH_BODY, ContactFilter, ContactSearch
from shared.matching.scope import SearchScope
from shared.matching.search_plan import PackedSearch, pack_calculated, pack_raw
from shared.matching.spellings import spellings
from shared.phone import PhoneNumber
from tests.matching.numbers import any_number, number, washington

Pack = Callable[[list[PhoneNumber], SearchScope], PackedSearch]
SCOPE = SearchScope("US", "most_recent")
both_ways = pytest.mark.parametrize("pack", [pack_calculated, pack_raw])


@both_ways
@given(numbers=st.lists(any_number(), max_size=150))
@settings(max_examples=20, deadline=None)
def test_packing_loses_no_number_and_keeps_to_the_limit(
    pack: Pack, numbers: list[PhoneNumber]
) -> None:
    packed = pack(numbers, SCOPE)
    assert [*packed.taken, *packed.left] == numbers
    assert len(packed.search.body()) <= MAX_SEARCH_BODY
    assert bool(packed.taken) == bool(numbers)


def test_a_body_holds_about_ninety_numbers() -> None:
    packed = pack_calculated([washington(last) for last in range(200)], SCOPE)
    assert 86 <= len(packed.taken) <= 105


def test_a_raw_body_holds_several_numbers() -> None:
    packed = pack_raw([washington(last) for last in range(200)], SCOPE)
    assert len(packed.taken) >= 4


def test_what_hubspot_calculates_by_itself_is_not_searched_again() -> None:
    one = [number("+12025550123")]
    values = _by_property(pack_raw(one, SearchScope("US", "skip", ("fax",))).search)
    typed = [value for value in spellings(one[0]) if not value.startswith("+")]
    assert values == {
        "phone": tuple(typed),
        "mobilephone": tuple(typed),
        "fax": spellings(one[0]),
    }
    uncalculated = pack_raw(one, SearchScope("US", "skip", is_raw=True)).search
    assert set(_by_property(uncalculated).values()) == {spellings(one[0])}


@pytest.mark.parametrize("caller", ["+12025550123", "+5511987654321", "+5491123456789"])
def test_long_names_of_properties_leave_room_for_a_number(caller: str) -> None:
    names = tuple(letter * 100 for letter in "abc")
    numbers = [number(caller), washington(1)]
    for is_raw in (False, True):
        packed = pack_raw(numbers, SearchScope("US", "skip", names, is_raw=is_raw))
        assert packed.taken
        assert len(packed.search.body()) <= MAX_SEARCH_BODY
        assert all(caller in each for each in _by_property(packed.search).values()) == is_raw


def test_spellings_of_before_a_renumbering_are_among_those_searched() -> None:
    assert {"+551187654321", "1187654321"} & set(spellings(number("+5511987654321")))


def test_countries_that_share_national_digits_share_a_value() -> None:
    packed = pack_calculated([number("+12025550123"), number("+492025550123")], SCOPE)
    assert _values(packed.search) == {("2025550123",)}


def test_phone_and_mobile_phone_are_searched() -> None:
    one = [number("+12025550123")]
    assert _searched(pack_calculated(one, SCOPE).search) == {
        "hs_searchable_calculated_phone_number",
        "hs_searchable_calculated_mobile_number",
    }
    assert _searched(pack_raw(one, SCOPE).search) == {"phone", "mobilephone"}


@pytest.mark.parametrize(
    ("policy", "sort_by", "descending"),
    [
        ("most_recent", "lastmodifieddate", True),
        ("skip", "lastmodifieddate", True),
        ("oldest", "createdate", False),
    ],
)
def test_hits_come_in_the_order_of_the_policy(
    policy: MatchPolicy, sort_by: str, *, descending: bool
) -> None:
    search = pack_calculated([number("+12025550123")], SearchScope("US", policy)).search
    assert (search.sort_by, search.descending) == (sort_by, descending)


def test_digits_of_their_own_are_searched_where_people_type_them() -> None:
    assert {"０９０－１２３４－５６７８", "０９０１２３４５６７８"} <= set(
        spellings(number("+819012345678"))
    )
    assert {"٠١٠١٢٣٤٥٦٧٨", "٠١٠ ١٢٣٤٥٦٧٨"} <= set(spellings(number("+201012345678")))
    assert all(spelling.isascii() for spelling in spellings(number("+4915123456789")))


def test_common_spellings_are_among_those_searched() -> None:
    assert {
        "+12025550123",
        "12025550123",
        "2025550123",
        "(202) 555-0123",
        "202-555-0123",
        "202.555.0123",
        "202 555 0123",
        "1-202-555-0123",
        "+1 (202) 555-0123",
    } <= set(spellings(number("+12025550123")))
    assert {
        "020 7946 0018",
        "02079460018",
        "+44 20 7946 0018",
        "+44 (0)20 7946 0018",
        "00442079460018",
    } <= set(spellings(number("+442079460018")))
    assert "06 1234 5678" in spellings(number("+390612345678"))


def _searched(search: ContactSearch) -> set[str]:
    return {each.property for each in search.filters}


def _values(search: ContactSearch) -> set[tuple[str, ...]]:
    return {each.values for each in search.filters if isinstance(each, ContactFilter)}


def _by_property(search: ContactSearch) -> dict[str, tuple[str, ...]]:
    return {
        each.property: each.values for each in search.filters if isinstance(each, ContactFilter)
    }
