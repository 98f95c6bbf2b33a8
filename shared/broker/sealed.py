"""What Redis keeps for us and must not make up: texts signed for one use and a short time.

Whoever can write to Redis may delete such a text, or put an old one back while it lasts. A text of
their own, one of another use, and one whose time is over all count as absent.
"""

import time
from typing import Final

from shared.crypto import TokenCipher

# Processes' clocks differ.
CLOCK_SKEW_S: Final = 60
# Digits of the time at which it ends, and of the signature.
_END_DIGITS: Final = 11
_SIGNATURE_DIGITS: Final = 32


def seal(cipher: TokenCipher, value: str, *use: str, lives_s: int) -> bytes:
    """Sign a text for what it is used for, until `lives_s` seconds from now."""
    ends_at = f"{int(time.time()) + lives_s:0{_END_DIGITS}d}"
    return f"{ends_at}{cipher.sign(*use, ends_at, value)}{value}".encode()


def unseal(cipher: TokenCipher, sealed: object, *use: str, lives_s: int) -> str | None:
    """The text, or None unless `seal` made this for the same use, and not too long ago."""
    if not isinstance(sealed, bytes):
        return None
    try:
        told = sealed.decode()
        ends_at, rest = told[:_END_DIGITS], told[_END_DIGITS:]
        left_s = int(ends_at) - time.time()
    except ValueError:
        return None
    signature, value = rest[:_SIGNATURE_DIGITS], rest[_SIGNATURE_DIGITS:]
    if not 0 < left_s <= lives_s + CLOCK_SKEW_S:
        return None
    return value if cipher.is_signature(signature, *use, ends_at, value) else None
