"""Digits beside a number that may be part of it: read with them and without, and never guessed."""

import pytest

from shared.phone import InvalidNumberError, find_numbers, has_other_digits, parse_phone

READ = {
    "+494042831234": [
        *((raw, "DE") for raw in ("#040-42831234", "Tel #040-42831234", "#040 42831234")),
        *((raw, "DE") for raw in ("# 040-42831234", "Tel.#: 040 42831234", "*040 42831234")),
        *((f"{word} 040 42831234", "DE") for word in ("Reservation", "Lead", "Case", "Az", "Rut")),
        *((f"{word} 040-4283-1234", "DE") for word in ("ID", "Booking", "Angebot", "Vorgang")),
        ("Order 4711 040 42831234", "DE"),
        ("Order 4711, 040 42831234", "DE"),
        ("Rechnung Nr. 4711 – 040 42831234", "DE"),
        ("*67 040 42831234", "DE"),
        ("#12 040 42831234", "DE"),
    ],
    "+12025550123": [
        *((raw, "US") for raw in ("Tel#202-555-0123", "#202-555-0123", "#202 555 0123")),
        *((raw, "US") for raw in ("*202-555-0123", "#12 202-555-0123", "Apt #12 202-555-0123")),
        *((raw, "US") for raw in ("*67-2025550123", "#31#2025550123", "*31# 202-555-0123")),
        *((raw, "US") for raw in ("+1 (202) 555 (0123)", "1(202)(555)(0123)", "(202) 555-(0123)")),
        *((raw, "US") for raw in ("202-555-0123 (4567)", "(202) (555) (0123) (22)")),
        *((f"{name} 202-555-0123", "US") for name in ("Taylor Swift", "Justin Case", "Po Chen")),
        *((f"{word} 202 555 0123", "US") for word in ("Lead", "Tin", "ID", "Quote", "Parcel")),
        ("Reservation: 2025550123", "US"),
        ("Swift: 2025550123", "US"),
        ("Order 12 202-555-0123 (22)", "US"),
        ("Ticket 4711 (202) 555-0123", "US"),
    ],
    "+27821234567": [("#082-123-4567", "ZA"), ("*082-123-4567", "ZA"), ("Cell#082 123 4567", "ZA")],
    "+628123456789": [("#081-2345-6789", "ID"), ("#081 2345 6789", "ID")],
    "+6281234567890": [("WA#0812-3456-7890", "ID"), ("ID 0812 3456 7890", "ID")],
    "+821012345678": [("#010-1234-5678", "KR"), ("Lead 010 1234 5678", "KR")],
    "+971501234567": [("Ph#050-123-4567", "AE"), ("Claim 050 123 4567", "AE")],
    "+4915112345678": [("Rut 0151 12345678", "DE"), ("Az: 015112345678", "DE")],
    "+46701234567": [("Anna Rut 070 123 45 67", "SE"), ("Rut 070-123 45 67", "SE")],
    "+38512345678": [("Tin 01 2345 678", "HR")],
    "+34612345678": [("RUT 612345678", "ES"), ("Rut García 612 34 56 78", "ES")],
    "+33612345678": [("Dossier 06 12 34 56 78", "FR"), ("Devis: 0612345678", "FR")],
    "+447400123456": [("Order 4711 07400 123456", "GB")],
    "+35316778899": [("+353 (1) 677 (8899)", "IE"), ("(01) 677 (8899)", "IE")],
    "+551123417409": [("9 (11) 2341-(7409)", "BR")],
    # a country code put first that is none, or a trunk zero behind one
    "+20225550123": [("+20 02 25550123", "EG"), ("+20 02 25550123", "US")],
    "+20235550123": [("+2002-3555-0123", "EG")],
    "+6062224567": [("+60 06-222 4567", "MY")],
    "+80081234567": [("+800 8123 4567", "US"), ("+8008 123 4567", "DE")],
    "+390612345678": [("+39 0039 06 12345678", "IT")],
}


@pytest.mark.parametrize(
    ("raw", "region", "e164"),
    [(raw, region, e164) for e164, rows in READ.items() for raw, region in rows],
)
def test_where_one_of_both_is_assigned_it_is_that(raw: str, region: str, e164: str) -> None:
    assert parse_phone(raw, region).e164 == e164
    assert [number.e164 for number in find_numbers(raw, region)] == [e164]


@pytest.mark.parametrize(
    ("raw", "region", "candidates"),
    [
        ("Order 040 42831234", "DE", ("+49 ***1234 (DE)",)),
        ("Rechnung 01512 3403082", "DE", ("+49 ***3082 (DE)",)),
        ("Bestellung 040, 42831234", "DE", ("+49 ***1234 (DE)",)),
        ("Auftrag 040 – 42831234", "DE", ("+49 ***1234 (DE)",)),
        ("Order 02 34552427", "EG", ("+20 ***2427 (EG)",)),
        ("Order 4711 30146281", "DE", ("+49 ***6281 (DE)",)),
        ("*67 664171049", "AT", ("+43 ***1049 (AT)",)),
        ("#12 1234574650", "AT", ("+43 ***4650 (AT)",)),
        ("(089) 1234 (5678)", "DE", ("+49 ***1234 (DE)", "+49 ***5678 (DE)")),
        ("+49 (89) 1234 (5678)", "US", ("+49 ***1234 (DE)", "+49 ***5678 (DE)")),
        ("+49 30 146281 (22)", "US", ("+49 ***6281 (DE)", "+49 ***8122 (DE)")),
        ("0812 300 883 (2)", "ID", ("+62 ***0883 (ID)", "+62 ***8832 (ID)")),
    ],
)
def test_where_both_are_assigned_nobody_is_chosen(
    raw: str, region: str, candidates: tuple[str, ...]
) -> None:
    with pytest.raises(InvalidNumberError, match="more than one phone number") as caught:
        parse_phone(raw, region)
    assert all(candidate in str(caught.value) for candidate in candidates)
    assert find_numbers(raw, region) == ()


@pytest.mark.parametrize(
    ("raw", "region"),
    [
        ("NIF 212 345 678", "PT"),
        ("NIF 912.348.757", "PT"),
        ("SIREN 612 345 678", "FR"),
        ("CVR 32 17 92 44", "DK"),
        ("RUT 22.345.678-9", "CL"),
        ("RUT 22345678-9", "CL"),
        ("Invoice 202 555 0123", "US"),
        ("Rechnung 2024-123456", "DE"),
        ("Rechnung 2024 123456", "DE"),
        ("Case 2024-1234567", "DE"),
        ("ID number 202-555-0123", "US"),
    ],
)
def test_what_a_word_counts_is_nobodys_in_groups_too(raw: str, region: str) -> None:
    assert find_numbers(raw, region) == ()
    assert has_other_digits(raw)


@pytest.mark.parametrize(("raw", "region"), [("*66 21293407", "US"), ("#64 32374143", "US")])
def test_a_code_is_no_part_of_a_number_that_nobody_has(raw: str, region: str) -> None:
    assert find_numbers(raw, region) == ()


@pytest.mark.parametrize("behind", [" / 42831235", "; 42831235"])
def test_a_second_number_does_not_settle_the_first(behind: str) -> None:
    found = [number.e164 for number in find_numbers(f"Order 040 42831234{behind}", "DE")]
    assert "+4942831234" not in found


@pytest.mark.parametrize("raw", ["; ext 5, 202-555-0123", "(x12,202-555-0123", "#x12,,2025550123"])
def test_an_extension_may_come_before_any_number(raw: str) -> None:
    assert parse_phone(raw, "US").e164 == "+12025550123"
