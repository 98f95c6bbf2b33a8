"""Who the customer is, once own numbers are known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.calls.customers import (
    OwnNumbersError,
    Parties,
    find_number_to_store,
    find_parties,
    spread_parties,
)
from shared.calls.directions import (
    UnknownDirectionError,
    find_customers_number,
    read_customers_end,
)
from shared.phone import PhoneError

A, B = "+12025550123", "(202) 555-0124"
US1, US2 = "+12025550100", "+12025550101"
OWN = (US1, US2)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"phone_number": A}, (A, None)),
        ({"from_number": A, "to_number": US1}, (A, US1)),
        ({"from_number": US1, "to_number": A}, (A, US1)),
        ({"from_number": "202-555-0100", "to_number": B}, (B, "202-555-0100")),
        ({"from_number": A, "to_number": US1, "direction": "inbound"}, (A, US1)),
        # The direction is the leg's, not the call's.
        ({"from_number": US1, "to_number": A, "direction": "inbound"}, (A, US1)),
        ({"phone_number": US1, "from_number": US1, "to_number": A}, (A, US1)),
        ({"phone_number": US1, "from_number": A, "to_number": US1}, (A, US1)),
        ({"phone_number": US1, "from_number": A, "to_number": B, "direction": "inbound"}, (A, B)),
        ({"phone_number": A, "from_number": US1, "to_number": US2}, (A, None)),
        ({"from_number": "anonymous", "to_number": US1}, ("anonymous", US1)),
        ({"from_number": None, "to_number": US1}, (None, US1)),
        ({"from_number": "anonymous", "to_number": A, "direction": "inbound"}, ("anonymous", A)),
        ({"phone_number": "anonymous", "from_number": US1}, (None, US1)),
        ({}, (None, None)),
    ],
)
def test_own_numbers_are_never_the_customer(
    fields: dict[str, str], expected: tuple[str | None, str | None]
) -> None:
    assert find_parties(fields, own_numbers=OWN, region="US") == Parties(*expected)


@pytest.mark.parametrize(
    "fields",
    [
        {"from_number": US1, "to_number": US2},
        {"from_number": US1, "to_number": "202 555 0101", "direction": "outbound"},
        {"phone_number": US1},
        {"phone_number": US1, "from_number": US1},
        {"phone_number": US1, "from_number": US1, "to_number": US2},
    ],
)
def test_call_among_own_numbers_has_no_customer(fields: dict[str, str]) -> None:
    with pytest.raises(OwnNumbersError, match="own_numbers"):
        find_parties(fields, own_numbers=OWN, region="US")


@pytest.mark.parametrize(
    "fields",
    [
        {"from_number": A, "to_number": B},
        {"from_number": A},
        {"phone_number": US1, "from_number": A, "to_number": B},
    ],
)
def test_two_strangers_without_a_direction_are_not_told_apart(fields: dict[str, str]) -> None:
    with pytest.raises(UnknownDirectionError):
        find_parties(fields, own_numbers=OWN, region="US")


NUMBER = st.none() | st.sampled_from([A, B, US1, US2, "anonymous", "", "123", "sip:a@b.example"])
FIELDS = st.fixed_dictionaries(
    {
        "phone_number": NUMBER,
        "from_number": NUMBER,
        "to_number": NUMBER,
        "direction": st.sampled_from([None, "inbound", "outbound", "sideways"]),
    }
)


@given(FIELDS)
def test_no_own_number_is_ever_found(fields: dict[str, str | None]) -> None:
    try:
        customer = find_parties(fields, own_numbers=OWN, region="US").customer
    except (PhoneError, OwnNumbersError):
        return
    assert customer not in OWN


@given(FIELDS)
def test_without_own_numbers_nothing_changes(fields: dict[str, str | None]) -> None:
    def before() -> str | None:
        return find_customers_number(fields) or read_customers_end(fields)

    assert find_number_to_store(fields) == find_customers_number(fields)
    try:
        expected = before()
    except UnknownDirectionError:
        with pytest.raises(UnknownDirectionError):
            find_parties(fields, region="US")
        return
    stored = find_customers_number({"phone_number": find_parties(fields, region="US").customer})
    assert stored == find_customers_number({"phone_number": expected})


def test_parties_of_a_source_become_ends_that_own_numbers_tell_apart() -> None:
    fields = spread_parties({"parties": (US1, A), "summary": "x"})
    assert fields == {"from_number": US1, "to_number": A, "summary": "x"}
    assert find_number_to_store(fields) is None
    assert find_number_to_store(fields, OWN) == A
    assert spread_parties({"parties": (None, A)}) == {"to_number": A}
    assert spread_parties({"phone_number": A}) == {"phone_number": A}
