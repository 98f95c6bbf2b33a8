"""Phone numbers that were made to keep the parser busy, or to come out as something else."""

import time
from contextlib import suppress
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.intake.call_ended import CALL_ENDED, EndedCall
from shared.phone import PhoneError, mask_phone, parse_phone

# What each expression of the parser could be made to try again and again; the last but one is one
# character that is eighteen when it is written out.
UNITS = (
    *(" ", "1 ", "( ", ")1", "+", "+1", "1+", "0", "00", "011", "x", "1x", "ext ", "1 ext ", ";"),
    *(",", "1,;", "#", "1#", "*", ".", "-", "<", "a<", "@", "1@", "sip:", "tel:", "%25", "\ufdfa"),
    "⑽",
)


STARTS = ("", "1", "+1 202 555 0123", "sip:1@", "tel:1;phone-context=+1")
ENDS = ("", "z", "1")


@pytest.mark.parametrize("unit", UNITS)
def test_no_text_keeps_the_parser_busy(unit: str) -> None:
    for start, end in product(STARTS, ENDS):
        room = 250 - len(start) - len(end)
        started = time.process_time()
        with suppress(PhoneError):
            parse_phone(start + (unit * room)[:room] + end, "US")
        assert time.process_time() - started < 0.5


ANY_NUMBER = (
    st.none() | st.text(st.characters(codec=None)) | st.text("0123456789+ ()-x", max_size=25)
)


@settings(max_examples=300, deadline=None)
@given(
    phone=ANY_NUMBER,
    sender=ANY_NUMBER,
    receiver=ANY_NUMBER,
    direction=st.none() | st.sampled_from(["inbound", "outbound"]) | st.text(),
)
def test_any_numbers_of_a_call_give_one_that_can_be_stored(
    phone: str | None, sender: str | None, receiver: str | None, direction: str | None
) -> None:
    call = EndedCall(
        call_id="call",
        user_id="user",
        workspace_id="ws",
        phone_number=phone,
        from_number=sender,
        to_number=receiver,
        direction=direction,
    )
    number = call.to_store(CALL_ENDED).phone_number
    assert number is None or (len(number) <= 251 and "\0" not in number and number.encode())


@given(text=st.none() | st.text())
def test_a_mask_shows_at_most_four_digits(text: str | None) -> None:
    shown = mask_phone(text).removeprefix("***")
    assert len(shown) <= 4
    assert 2 * len(shown) <= sum(character.isdecimal() for character in text or "")
