"""What the verifiers share: constant-time comparison, strict digests, freshness."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from sources.adapter import (
    FRESH_S,
    Delivery,
    InvalidSecretError,
    Refusal,
    RefusedError,
    Secret,
)

SHORTEST_SECRET: Final = 8
LONGEST_SECRET: Final = 1000

_HEX: Final = re.compile(r"[0-9a-fA-F]+", re.ASCII)
# A timestamp in seconds has 10 digits, in milliseconds 13.
_EPOCH: Final = re.compile(r"\d{10}|\d{13}", re.ASCII)


def require_header(delivery: Delivery, name: str) -> str:
    """A header of the signature; raises RefusedError if it is missing, blank or came twice."""
    value = delivery.header(name)
    if value is None:
        twice = delivery.has_header(name)
        raise RefusedError(
            Refusal.MALFORMED_SIGNATURE if twice else Refusal.MISSING_SIGNATURE,
            f"The header {name} is blank or came twice."
            if twice
            else f"There is no {name} header.",
        )
    return value


def check_secret(value: str) -> None:
    """Raise InvalidSecretError unless a text can be a secret that was copied whole, and alone."""
    if any(each.isspace() or not each.isprintable() for each in value):
        raise InvalidSecretError("A secret has no blanks or line breaks: paste it alone.")
    if not SHORTEST_SECRET <= len(value) <= LONGEST_SECRET:
        raise InvalidSecretError(
            f"This is shorter than {SHORTEST_SECRET} characters or longer than {LONGEST_SECRET}:"
            " copy the whole secret, and nothing else."
        )


def sign(key: bytes, signed: bytes, algorithm: str = "sha256") -> bytes:
    """The HMAC of what is signed."""
    return hmac.new(key, signed, getattr(hashlib, algorithm)).digest()


def read_hex(text: str, length: int) -> bytes | None:
    """A digest of `length` bytes written in hex, in any case; None if it is anything else."""
    if len(text) != 2 * length or not _HEX.fullmatch(text):
        return None
    return bytes.fromhex(text)


def read_base64(text: str, length: int) -> bytes | None:
    """A digest of `length` bytes in standard base64 with its padding; None if anything else.

    One spelling only: with a second one, a delivery would have two signatures.
    """
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return value if len(value) == length and base64.b64encode(value).decode() == text else None


def is_equal(one: str, other: str) -> bool:
    """Whether two texts are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())


def find_secret(secrets: Iterable[Secret], proves: Callable[[Secret], bool]) -> Secret | None:
    """The first secret that proves a delivery. All are tried, so that time tells nothing."""
    found = [secret for secret in secrets if proves(secret)]
    return found[0] if found else None


def require_fresh(stamp: str | None, received_at: datetime, within_s: int = FRESH_S) -> None:
    """Raise RefusedError unless a time in epoch seconds or milliseconds is about now."""
    if stamp is None or not _EPOCH.fullmatch(stamp):
        raise RefusedError(
            Refusal.MALFORMED_SIGNATURE, "The time of the signature is missing or unreadable."
        )
    seconds = int(stamp) / 1000 if len(stamp) == len("1764300000123") else int(stamp)
    if abs(received_at.timestamp() - seconds) > within_s:
        raise RefusedError(
            Refusal.STALE,
            f"The delivery was signed more than {within_s // 60} minutes ago, or a clock is wrong.",
        )
