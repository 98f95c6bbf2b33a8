"""One person's number is found in any text that holds it, and another's is not taken for it."""

import random
import time

import pytest

from shared.phone.mentions import Mention, Sought

US = Sought("+12025550123")


@pytest.mark.parametrize(
    "text",
    [
        "+12025550123",
        "call me at (202) 555-0123, please",
        "202.555.0123",
        "1-202-555-0123",
        "+1 (202) 555 0123",
        "001 202 555 0123",
        "my number is 202, 555, 0123.",
        "2 0 2 5 5 5 0 1 2 3",
        "202 555 0123 303 555 0199",
        "303 555 0199 202 555 0123",
        "2025550123,3035550199",
        "+13035550199+12025550123",
        "2025550199/2025550123",
        "２０２ ５５５ ０１２３",
        "٢٠٢٥٥٥٠١٢٣",
        "202\u00a0555\u20110123",
        "202\u200b555\u200b0123",
        "(202)\n555-0123",
        "https://rec.example/calls/+12025550123.wav",
        "from:12025550123;to:13035550199",
        "x" * 5000 + " 202 555 0123 " + "y" * 5000,
        "2025550123 ext. 45",
    ],
)
def test_number_is_found_in_any_spelling_and_company(text: str) -> None:
    assert US.may_be_in(text)
    assert US.find(text, "US") is not Mention.NONE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+12025550124",
        "12025550123456",
        "order 12345678902025550123",
        "+91 2025550123",
        "+912025550123",
        "202 555 01 and later 23 more",
        "202 555",
        "20x2 555 0123",
    ],
)
def test_other_numbers_are_not_taken_for_it(text: str) -> None:
    assert US.find(text, "US") is Mention.NONE


@pytest.mark.parametrize(
    ("text", "region", "mention"),
    [
        ("+12025550123", "GB", Mention.CERTAIN),
        ("202 555 0123", "US", Mention.CERTAIN),
        ("+442025550123", "US", Mention.NONE),
        ("+1 1 202 555 0123", "US", Mention.CERTAIN),
        ("+9992025550123", "US", Mention.POSSIBLE),
        ("4712025550123", "US", Mention.POSSIBLE),
        ("order 4711 202 555 0123", "US", Mention.CERTAIN),
    ],
)
def test_what_is_certain_and_what_a_person_has_to_decide(
    text: str, region: str, mention: Mention
) -> None:
    assert US.find(text, region) is mention


@pytest.mark.parametrize("sought", ["+525512345678", "+5215512345678"])
@pytest.mark.parametrize("text", ["+52 55 1234 5678", "+52 1 55 1234 5678", "55 1234 5678"])
def test_forms_before_and_after_a_renumbering_are_one(sought: str, text: str) -> None:
    assert Sought(sought).find(text, "MX") is Mention.CERTAIN


@pytest.mark.parametrize("text", ["+225 07 12 34 56 78", "+22507123456 78", "0712345678"])
def test_ivorian_number_is_found_in_its_new_form(text: str) -> None:
    assert Sought("+2250712345678").find(text, "CI") is not Mention.NONE


def test_number_with_a_zero_of_its_own_is_found_with_and_without_it() -> None:
    rome = Sought("+390669812345")
    assert rome.find("+39 06 698 12345", "IT") is Mention.CERTAIN
    assert rome.find("+39 669812345", "IT") is not Mention.NONE
    assert rome.find("06 69812345", "IT") is Mention.CERTAIN


def test_trunk_zero_behind_the_country_code_is_found() -> None:
    london = Sought("+442079460018")
    for text in ("020 7946 0018", "+44 (0)20 7946 0018", "0044 20 7946 0018"):
        assert london.find(text, "GB") is Mention.CERTAIN


def test_short_number_is_not_seen_in_any_amount() -> None:
    helena = Sought("+29022722")
    assert helena.find("it costs 22722 dollars", "US") is Mention.NONE
    assert helena.find("+290 22722", "US") is Mention.CERTAIN


@pytest.mark.parametrize(
    "unit",
    ["2", "2 0 2 5 5 5 0 1 2 ", "+", "+1 ", "(", "2025550123456 ", "202-", "0" * 40 + "x", "٢"],
)
def test_text_of_a_megabyte_is_looked_through_in_bounded_time(unit: str) -> None:
    began = time.process_time()
    text = unit * (1_000_000 // len(unit))
    if US.may_be_in(text):
        US.find(text, "US")
    assert time.process_time() - began < 20


def test_any_digits_give_an_answer() -> None:
    chance = random.Random(7)
    for _ in range(500):
        text = "".join(chance.choices("2025550123 +-().,x", k=30)) + "2025550123"
        US.find(text, chance.choice(["US", "GB", "IN", "ZZ"]))
