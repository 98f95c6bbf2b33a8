"""The phone properties that HubSpot calculates from what people typed."""

from collections.abc import Mapping

import phonenumbers

_SOURCES = {"phone": "phone_number", "mobilephone": "mobile_number"}
CALCULATED_PROPERTIES = frozenset(
    f"hs_{kind}calculated_{scope}{stem}"
    for stem in _SOURCES.values()
    for kind, scope in (("", ""), ("searchable_", ""), ("searchable_", "international_"))
)


def calculate_phones(properties: Mapping[str, str], default_country: str) -> dict[str, str]:
    """Calculate E.164, national and international forms; a number that does not parse has none.

    A number typed without a country code is read in the account's default country, as HubSpot
    does, so the country may be wrong.
    """
    calculated: dict[str, str] = {}
    for source, stem in _SOURCES.items():
        number = _parse(properties.get(source, ""), default_country)
        if number is None:
            continue
        e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        calculated[f"hs_calculated_{stem}"] = e164
        calculated[f"hs_searchable_calculated_{stem}"] = phonenumbers.national_significant_number(
            number
        )
        calculated[f"hs_searchable_calculated_international_{stem}"] = e164
    return calculated


def _parse(text: str, default_country: str) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, default_country)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_possible_number(number) else None
