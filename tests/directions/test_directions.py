import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.calls.directions import (
    UnknownDirectionError,
    choose_end,
    read_customers_end,
    read_direction,
)

CALLER = "+12025550123"
OURS = "+12025550199"

INBOUND = [
    *("in", "IN", "inbound", "Inbound", "InBound", " inbound ", "incoming", "in-bound"),
    *("inboundPhoneCall", "inbound-dial", "inbound_call", "INBOUND_API", "Inbound Call", "call-in"),
    *("eingehend", "Eingehender Anruf", "entrante", "appel entrant", "Входящий", "ankommend"),
    *("inbound-no-answer", "inbound_not_answered", "incoming (no answer)", "inbound (non-urgent)"),
    *("inbound, never answered", "no answer, inbound", "inbound, not outbound"),
    *(
        "callin",
        "dialIn",
        "DIALIN",
        "dialin-conference",
        "calling in",
        "chamada recebida",
        "in entrata",
        "indgående",
    ),
    *(
        "inngående",
        "вхідний",
        "来电",
        "来电呼入",
        "수신",
        "مكالمة واردة",
        "gelen arama",
        "příchozí",
    ),
]
OUTBOUND = [
    *("out", "OUT", "outbound", "Outbound", "OutBound", "outgoing", "out-bound", "outbound-api"),
    *("outbound-dial", "outboundPhoneCall", "OUTGOING_CALL", "originate", "originated", "dial-out"),
    *("ausgehend", "saliente", "appel sortant", "Исходящий", "abgehend", "in uscita", "udgående"),
    *("callout", "dialout", "DIALOUT", "chamada efetuada", "llamada realizada", "вихідний", "去电"),
    *("outgoing, no answer", "Outbound (not answered)", "outbound calling", "outbound-dialing"),
    *("outboundDialing", "not inbound but outbound", "calling out"),
    *("발신", "صادرة", "giden arama", "odchozí", "wychodzące"),
]
NEITHER = [
    *(None, "", "  ", "unknown", "internal", "international", "outcome", "in progress", "web"),
    *(
        "inOut",
        "in/out",
        "in-out",
        "in and out",
        "out/in",
        "not inbound",
        "non-outbound",
        "notInbound",
    ),
    *("dialing", "calling", "Calling", "predictive dialing", "Click-to-call dialing", "dialings"),
    *("not an inbound call", "no inbound", "never outbound"),
    *("inbound outbound", "1", "trunking-originating", "trunking-terminating", "in" * 1000),
]


@pytest.mark.parametrize("word", INBOUND)
def test_the_caller_is_the_customer_of_an_inbound_call(word: str) -> None:
    assert choose_end(word, CALLER, OURS) == CALLER
    assert read_customers_end({"direction": word, "from_number": CALLER, "to_number": OURS}) == (
        CALLER
    )


@pytest.mark.parametrize("word", OUTBOUND)
def test_the_called_is_the_customer_of_an_outbound_call(word: str) -> None:
    assert choose_end(word, OURS, CALLER) == CALLER
    assert read_customers_end({"direction": word, "from_number": OURS, "to_number": CALLER}) == (
        CALLER
    )


@pytest.mark.parametrize("word", NEITHER)
def test_without_a_direction_nobody_is_taken_for_the_customer(word: str | None) -> None:
    assert read_direction(word) is None
    assert choose_end(word, CALLER, OURS) is None
    for numbers in (
        {"from_number": CALLER, "to_number": OURS},
        {"from_number": CALLER},
        {"to_number": "(202) 555-0123", "from_number": "anonymous"},
        {"from_number": "sip:alice@example.com"},
    ):
        with pytest.raises(UnknownDirectionError, match="inbound or outbound"):
            read_customers_end({"direction": word, **numbers})


@pytest.mark.parametrize(
    "numbers",
    [
        {},
        {"from_number": None},
        {"from_number": "anonymous"},
        {"phone_number": "anonymous", "from_number": "anonymous", "to_number": OURS},
    ],
)
def test_a_call_without_numbers_lacks_no_direction(numbers: dict[str, str | None]) -> None:
    assert read_customers_end(numbers) is None


@given(st.text())
def test_any_text_is_a_direction_or_none(text: str) -> None:
    assert read_direction(text) in {"inbound", "outbound", None}
