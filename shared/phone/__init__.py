"""Phone numbers: reading any spelling into one form, and hiding it again for logs. All pure."""

from shared.phone.numbers import (
    NO_REGION,
    SUPPORTED_REGIONS,
    InvalidNumberError,
    PhoneError,
    PhoneNumber,
    WithheldNumberError,
    mask_phone,
    validate_region,
)
from shared.phone.reading import MAX_TEXT, find_numbers, has_other_digits, parse_phone

__all__ = [
    "MAX_TEXT",
    "NO_REGION",
    "SUPPORTED_REGIONS",
    "InvalidNumberError",
    "PhoneError",
    "PhoneNumber",
    "WithheldNumberError",
    "find_numbers",
    "has_other_digits",
    "mask_phone",
    "parse_phone",
    "validate_region",
]
