import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.phone import (
    SUPPORTED_REGIONS,
    PhoneError,
    find_numbers,
    has_other_digits,
    parse_phone,
)


@pytest.mark.parametrize(
    ("text", "region", "e164s"),
    [
        ("+31 6 12345678 / +31 6 12345699", "US", ["+31612345678", "+31612345699"]),
        ("+31 6 12345678 or +31 6 12345699", "US", ["+31612345678", "+31612345699"]),
        ("06 12345678 of 06 12345699", "NL", ["+31612345678", "+31612345699"]),
        ("06-12345678/06-12345699", "NL", ["+31612345678", "+31612345699"]),
        ("+31612345678 +31612345699", "US", ["+31612345678", "+31612345699"]),
        ("020 7946 0018; 020 7946 0019", "GB", ["+442079460018", "+442079460019"]),
        ("020 7946 0018, 07400 123456 (mob)", "GB", ["+442079460018", "+447400123456"]),
        ("020 7946 0018\n07400 123456", "GB", ["+442079460018", "+447400123456"]),
        ("Home 020 7946 0018 Work 07400 123456", "GB", ["+442079460018", "+447400123456"]),
        ("030/901820 - 0151/12345678", "DE", ["+4930901820", "+4915112345678"]),
        ("+49 1512 3456789 (mobile)", "US", ["+4915123456789"]),
        ("(mobile) +49 1512 3456789", "US", ["+4915123456789"]),
        ("+49 1512 3456789 *preferred*", "US", ["+4915123456789"]),
        ("*work* +49 1512 3456789", "US", ["+4915123456789"]),
        ("+49 1512 345****", "US", []),
        ("Order 491512345 +4915123456789", "DE", ["+4915123456789"]),
        ("+4915123456789 (Kunden-Nr. 030901820)", "DE", ["+4915123456789"]),
        ("Invoice no: 2025550199, call 202-555-0123", "US", ["+12025550123"]),
        ("Order 77 202-555-0123", "US", ["+12025550123"]),
        ("Customer 202-555-0123", "US", ["+12025550123"]),
        ("Home (202) 555-0123 Cell +1 202 555 0199", "US", ["+12025550123", "+12025550199"]),
        ("Ticket 2025550199", "US", []),
        ("+44447400123456", "US", ["+447400123456"]),
        # what a field that puts the country code first makes of a whole number
        ("+49+15112345678", "DE", ["+4915112345678"]),
        ("+49 +1 202 555 0123", "DE", ["+12025550123"]),
        ("+49 +49 151 12345678", "US", ["+4915112345678"]),
        ("+371 00371 26 830 097", "LV", ["+37126830097"]),
        ("+3900393477906546", "US", ["+393477906546"]),
        ("+49 0049 (0)151 12345678 (mobile)", "US", ["+4915112345678"]),
        # signs that only look as if digits were hidden, or stand for a gap
        ("* +598 92 773 780", "UY", ["+59892773780"]),
        ("*+49 1512 3456789", "US", ["+4915123456789"]),
        ("+1_809_365_6229", "DE", ["+18093656229"]),
        ("+7·701·272·87·37", "KZ", ["+77012728737"]),
        ("079'467'26'52", "CH", ["+41794672652"]),
        ("079’467’26’52", "CH", ["+41794672652"]),
        ("+49 151 *2345678", "DE", []),
        ("+49 151 __345678", "DE", []),
        # leftovers of web pages
        ("+421&nbsp;905&nbsp;056&nbsp;853", "JM", ["+421905056853"]),
        ("&#43;49 1512 3456789", "US", ["+4915123456789"]),
        ("%2B49%201512%203456789", "US", ["+4915123456789"]),
        ("wa.me/61472328907", "CO", ["+61472328907"]),
        ("https://wa.me/4523938483?text=Hi", "HR", ["+4523938483"]),
        ("https://api.whatsapp.com/send?phone=37126292576&text=Hi", "TN", ["+37126292576"]),
        ("whatsapp://send?phone=37126292576", "TN", ["+37126292576"]),
        ("viber://chat?number=%2B4915112345678", "US", ["+4915112345678"]),
        ("https://t.me/+4915112345678", "US", ["+4915112345678"]),
        ("030/901820", "DE", ["+4930901820"]),
        ("+49 30 901820 (since 2019-05-01)", "DE", ["+4930901820"]),
        ("020 7946 0018 ext 1234567", "GB", ["+442079460018"]),
        ("(202) 555-0123 x5", "US", ["+12025550123"]),
        ("1-800-FLOWERS", "US", ["+18003569377"]),
        ("tel:2025550123;phone-context=+1", "DE", ["+12025550123"]),
        ("+1 202 555 0123 / +1 303 555 ****", "US", ["+12025550123"]),
        ("bob2025550123@example.com", "US", []),
        ("anonymous", "US", []),
        ("ask at the desk, room 2025", "US", []),
        (None, "US", []),
        ("1 " * 1000, "US", []),
    ],
)
def test_every_number_of_a_field_is_found(text: str | None, region: str, e164s: list[str]) -> None:
    assert [number.e164 for number in find_numbers(text, region)] == e164s


@pytest.mark.parametrize(
    "label",
    [
        *("Order {}", "PO {}", "PO{}", "PO-{}", "Invoice #{}", "Ticket: {}", "Case {}", "Ref. {}"),
        *("ID {}", "Tax ID: {}", "VAT {}", "SKU {}", "RMA-{}", "IMEI {}", "Serial: {}", "Lead {}"),
        *("Account # {}", "Customer ID {}", "Kundennr. {}", "Kundennummer: {}", "Claim no. {}"),
        *("Bestellung {}", "Bestellnr. {}", "Rechnung Nr. {}", "Rechnungsnummer {}", "Az. {}"),
        *("commande n° {}", "dossier {}", "SIRET {}", "pedido {}", "NIF {}", "CPF {}", "ordine {}"),
        *("factuur {}", "KvK {}", "zamówienie {}", "NIP {}", "sipariş {}", "заказ {}", "ИНН {}"),
        *("订单 {}", "订单{}", "注文番号 {}", "Policy {}", "Passport {}", "Tracking: {}"),
    ],
)
def test_digits_that_a_word_gives_to_something_else_are_nobodys(label: str) -> None:
    assert find_numbers(label.format("2025550123"), "US") == ()
    assert has_other_digits(label.format("2025550123"))


@pytest.mark.parametrize(
    "label",
    [
        *(
            "Tel {}",
            "Phone # {}",
            "Phone no. {}",
            "her # {}",
            "Alt no. {}",
            "new no {}",
            "Cell: {}",
        ),
        *(
            "Caller ID {}",
            "Mom {}",
            "Customer {}",
            "Handynummer {}",
            "Porter {}",
            "Ida {}",
            "номер {}",
        ),
        *("电话 {}", "Poul {}", "office no. {}", "Justice {}", "Client {}", "Casey {}", "Refik {}"),
    ],
)
def test_digits_behind_other_words_are_a_phone_number(label: str) -> None:
    assert [one.e164 for one in find_numbers(label.format("2025550123"), "US")] == ["+12025550123"]
    assert not has_other_digits(label.format("2025550123"))


_FIELD = st.text(alphabet="0123456789+()-. /#*x,;:@<>\"'orext\n", max_size=60)


@given(text=st.text() | _FIELD, region=st.sampled_from(sorted(SUPPORTED_REGIONS)))
def test_what_can_be_read_as_one_number_is_found(text: str, region: str) -> None:
    found = find_numbers(text, region)
    try:
        number = parse_phone(text, region)
    except PhoneError:
        return
    assert number in found
