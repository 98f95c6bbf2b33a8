"""Links to recordings: which are the same but for their signature, and until when one is good.

Stores sign a link anew whenever it is asked for, so that two deliveries of one recording differ in
nothing but what signs and dates the link.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

# In lower case. AWS and Google (version 4) name what they add by a prefix.
_PREFIXES: Final = ("x-amz-", "x-goog-")
_SIGNING: Final = frozenset(
    {"expires", "signature", "key-pair-id", "policy", "awsaccesskeyid", "googleaccessid"}
)
# Azure's names are short enough to mean something else elsewhere: they count beside `sig`.
_AZURE: Final = frozenset({"se", "sig", "sp", "sv", "sr", "st", "spr"})
_BASIC_TIME: Final = "%Y%m%dT%H%M%SZ"


def strip_signature(url: str) -> str:
    """The link without what signs and dates it; as it is if it cannot be taken apart."""
    try:
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return url
    is_azure = any(name.lower() == "sig" for name, _ in pairs)
    kept = [pair for pair in pairs if not _is_signing(pair[0].lower(), is_azure=is_azure)]
    return url if len(kept) == len(pairs) else urlunsplit(parts._replace(query=urlencode(kept)))


def find_expiry(url: str) -> datetime | None:
    """Until when the link says that it is good, in UTC; None if it does not say."""
    try:
        pairs = parse_qsl(urlsplit(url).query)
    except ValueError:
        return None
    said = {name.lower(): value for name, value in pairs}
    with suppress(ValueError, OverflowError, OSError):
        return _read_expiry(said)
    return None


def _read_expiry(said: Mapping[str, str]) -> datetime | None:
    for prefix in _PREFIXES:
        if f"{prefix}date" in said and f"{prefix}expires" in said:
            signed_at = datetime.strptime(said[f"{prefix}date"], _BASIC_TIME).replace(tzinfo=UTC)
            return signed_at + timedelta(seconds=int(said[f"{prefix}expires"]))
    if "expires" in said:
        return datetime.fromtimestamp(int(said["expires"]), UTC)
    if "se" in said and "sig" in said:
        ends_at = datetime.fromisoformat(said["se"])
        return ends_at.replace(tzinfo=UTC) if ends_at.tzinfo is None else ends_at.astimezone(UTC)
    return None


def _is_signing(name: str, *, is_azure: bool) -> bool:
    return name.startswith(_PREFIXES) or name in _SIGNING or (is_azure and name in _AZURE)
