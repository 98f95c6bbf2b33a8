import pytest

from shared.hubspot.models import Contact
from shared.matching.hits import Ambiguous, Match, NoMatch, decide, numbers_of
from shared.matching.scope import SearchScope, Stage


def contact(**properties: str | None) -> Contact:
    return Contact("1", properties)


@pytest.mark.parametrize(
    ("stored", "region", "numbers"),
    [
        (contact(phone="(202) 555-0123"), "US", {"+12025550123"}),
        (contact(mobilephone="(202) 555-0123"), "US", {"+12025550123"}),
        (
            contact(phone="202-555-0123", mobilephone="+44 20 7946 0018"),
            "US",
            {"+12025550123", "+442079460018"},
        ),
        (contact(phone="+49 202 5550123"), "US", {"+492025550123"}),
        (contact(phone="anonymous"), "US", set()),
        (contact(phone=None, mobilephone=""), "US", set()),
    ],
)
def test_a_contact_has_the_numbers_that_were_typed(
    stored: Contact, region: str, numbers: set[str]
) -> None:
    assert numbers_of(stored, SearchScope(region, "skip")) == numbers


@pytest.mark.parametrize("masked", ["+1 202 ***-**23", "xxx-xxx-0123", "••• 0123", None])
def test_a_masked_number_is_the_one_hubspot_calculated(masked: str | None) -> None:
    stored = contact(phone=masked, hs_calculated_phone_number="+12025550123")
    assert numbers_of(stored, SearchScope("US", "skip")) == {"+12025550123"}


def test_a_typed_country_code_outweighs_what_hubspot_calculated() -> None:
    stored = contact(phone="+49 202 5550123", hs_calculated_phone_number="+12025550123")
    assert numbers_of(stored, SearchScope("US", "skip")) == {"+492025550123"}


@pytest.mark.parametrize(
    "typed", ["Order 2025550123", "Tax ID: 2025550123", "+1 303 555 0142, ID 2025550123"]
)
def test_an_order_number_is_nobodys_though_hubspot_calculates_a_phone_number(typed: str) -> None:
    stored = contact(phone=typed, hs_calculated_phone_number="+12025550123")
    assert "+12025550123" not in numbers_of(stored, SearchScope("US", "skip"))


def test_without_a_typed_country_code_both_readings_count() -> None:
    stored = contact(phone="0202 5550123", hs_calculated_phone_number="+432025550123")
    assert numbers_of(stored, SearchScope("DE", "skip")) == {"+492025550123", "+432025550123"}


def test_policies_choose_among_several_contacts() -> None:
    assert decide(["7", "8"], "most_recent", Stage.RAW) == Match("7")
    assert decide(["7", "8"], "oldest", Stage.RAW) == Match("7")
    assert decide(["7", "8"], "skip", Stage.RAW) == Ambiguous(("7", "8"))
    assert decide(["7"], "skip", Stage.RAW) == Match("7")


def test_no_match_says_where_it_was_looked_for() -> None:
    assert decide([], "most_recent", Stage.RAW) == NoMatch(Stage.RAW)


def test_a_field_with_two_numbers_stands_for_both() -> None:
    stored = contact(phone="+31 6 12345678 / +31 6 12345699")
    assert numbers_of(stored, SearchScope("NL", "skip")) == {"+31612345678", "+31612345699"}


def test_further_phone_properties_count_and_others_do_not() -> None:
    stored = contact(fax="(202) 555-0123", home_phone="(202) 555-0124")
    scope = SearchScope("US", "skip", ("home_phone",))
    assert numbers_of(stored, scope) == {"+12025550124"}


def test_a_calculated_number_counts_beside_one_of_two_without_a_country_code() -> None:
    stored = contact(phone="030 901820 / +4930901821", hs_calculated_phone_number="+4330901820")
    assert numbers_of(stored, SearchScope("DE", "skip")) == {
        "+4930901820",
        "+4930901821",
        "+4330901820",
    }
