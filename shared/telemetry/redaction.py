"""The last net under the logs: what looks like a secret or a whole phone number is masked.

Code must not log such things in the first place. This is for what slips in with a library's
message, a traceback or a URL.
"""

import re
from collections.abc import Mapping
from enum import Enum, auto
from functools import lru_cache

from shared.phone import mask_phone

MASK = "***"
LEAST_PHONE_DIGITS = 8
MOST_PHONE_DIGITS = 15  # E.164

_SECRET_KEY = re.compile(
    r"(?i)(^|_|-)(token|secret|password|passwd|authorization|cookie|signature|verifier|jwt|api_key)s?$"
    r"|(access|refresh)tokens?$|^(code|state|oauth_state|environ)$"
)
_PAYLOAD_KEY = re.compile(r"^(payload|body|summary|transcript|recording_url|structured_data)$")
_ID_KEY = re.compile(r"(^|_)ids?$")
# What `shared.ids` makes: a prefix and a UUID's hexadecimal digits.
_OWN_ID = re.compile(r"[a-z]{2}_[0-9a-f]{32}")
_SECRET_TEXT = re.compile(
    r"(?i)(?P<head>\b(?:bearer|basic)\s+"
    r"|\b(?:access_token|refresh_token|client_secret|code_verifier|code|state|token|password)=)"
    r"[^\s&\"',;]+"
    r"|(?P<user>://[^/\s:@]*:)[^/\s@]+(?=@)"
    r"|\bwhsec_[A-Za-z0-9+/=]+"
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"
    r"|\b[a-z]{2}\d-[0-9a-z]{4,}(?:-[0-9a-z]{4,}){3,}"  # HubSpot's refresh tokens
)
# Ids, UUIDs and dates come first, so that their digits are not taken for a number to call.
_PHONE_TEXT = re.compile(
    r"(?P<keep>\b[a-z]{2,}_[0-9a-z]+|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
    r"|\b\d{4}-\d\d-\d\d(?!\d))"
    r"|(?:\+|%2B)\d[\d ().-]{5,20}\d"
    r"|(?<![\w.])\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?!\w)"
    r"|(?<![\w.])\d{8,15}(?![\w.]\w)(?!\w)",
    re.IGNORECASE,
)


class _Kind(Enum):
    """What a field holds, by its name."""

    SECRET = auto()
    ID = auto()
    TEXT = auto()


def redact(key: str, value: object) -> object:
    """Return what may be logged in place of `value`; numbers, booleans and None stay."""
    if value is None or isinstance(value, bool | int | float):
        return value
    kind = _kind_of(key)
    if kind is _Kind.SECRET:
        return MASK
    if isinstance(value, Mapping):
        return {str(name): redact(str(name), item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(key, item) for item in value]
    text = str(value)
    # HubSpot's ids are as long as phone numbers
    if kind is _Kind.ID and (text.isalnum() or _OWN_ID.fullmatch(text)):
        return text
    return redact_text(text)


@lru_cache(maxsize=1000)
def _kind_of(key: str) -> _Kind:
    if _SECRET_KEY.search(key) or _PAYLOAD_KEY.search(key):
        return _Kind.SECRET
    return _Kind.ID if _ID_KEY.search(key) else _Kind.TEXT


def redact_text(text: str) -> str:
    """Mask secrets and whole phone numbers inside a text."""
    return _PHONE_TEXT.sub(_mask_phone, _SECRET_TEXT.sub(_mask_secret, text))


def _mask_secret(match: re.Match[str]) -> str:
    return (match["head"] or match["user"] or "") + MASK


def _mask_phone(match: re.Match[str]) -> str:
    if match["keep"]:
        return match[0]
    digits = sum(character.isdigit() for character in match[0])
    if not LEAST_PHONE_DIGITS <= digits <= MOST_PHONE_DIGITS:
        return match[0]
    return mask_phone(match[0])
