"""HMAC signatures whose parts the customer chooses: header, hash, spelling, and what is signed."""

import base64
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from sources.adapter import Delivery, InvalidSecretError, Refusal, RefusedError, Secret
from sources.signing import (
    read_base64,
    read_hex,
    read_key,
    require_fresh,
    require_header,
    sign,
)

Algorithm = Literal["sha256", "sha512", "sha1"]
Encoding = Literal["hex", "base64"]

SIZES: Final[dict[Algorithm, int]] = {"sha256": 32, "sha512": 64, "sha1": 20}
_PLACES: Final = re.compile(r"(\{[^{}]*\})")
PLACES: Final = frozenset({"{body}", "{timestamp}", "{method}", "{url}", "{svix-id}"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HmacRecipe:
    """How a delivery is signed with HMAC, where the customer can choose it.

    Attributes:
        header: The header of the signature.
        prefix: What stands before the digest: `sha256=`.
        algorithm: The hash.
        encoding: How the digest is written.
        signed: What is signed, with `{body}` and perhaps `{timestamp}`, `{method}`, `{url}` and
            `{svix-id}` in it.
        timestamp_header: The header of `{timestamp}`, in epoch seconds or milliseconds. A time that
            is not signed is not looked at.
        id_header: The header of `{svix-id}`.
        is_base64: The secret is the key in base64, with or without `whsec_`.
    """

    header: str
    prefix: str = ""
    algorithm: Algorithm = "sha256"
    encoding: Encoding = "hex"
    signed: str = "{body}"
    timestamp_header: str | None = None
    id_header: str = "svix-id"
    is_base64: bool = False

    def verify(self, delivery: Delivery) -> Callable[[Secret], bool]:
        """Whether a secret proves a delivery; raises RefusedError if none can.

        The signature's form and time are checked before the body is hashed.
        """
        given = require_header(delivery, self.header)
        read = read_hex if self.encoding == "hex" else read_base64
        digest = (
            read(given.removeprefix(self.prefix), SIZES[self.algorithm])
            if given.startswith(self.prefix)
            else None
        )
        if digest is None:
            raise RefusedError(
                Refusal.MALFORMED_SIGNATURE,
                f"The header {self.header} holds no {self.algorithm} signature in {self.encoding}.",
            )
        if "{timestamp}" in self.signed and self.timestamp_header:
            stamp = require_header(delivery, self.timestamp_header)
            require_fresh(stamp, delivery.received_at)
        signed = self._fill(delivery)

        def proves(secret: Secret) -> bool:
            try:
                made = sign(self._key(secret.value), signed, self.algorithm)
            except InvalidSecretError:
                return False
            return hmac.compare_digest(made, digest)

        return proves

    def sign(self, secret: str, delivery: Delivery) -> str:
        """The value of the signature's header for a delivery."""
        digest = sign(self._key(secret), self._fill(delivery), self.algorithm)
        is_hex = self.encoding == "hex"
        return self.prefix + (digest.hex() if is_hex else base64.b64encode(digest).decode())

    def _key(self, secret: str) -> bytes:
        return read_key(secret) if self.is_base64 else secret.encode("utf-8", "replace")

    def _fill(self, delivery: Delivery) -> bytes:
        """What is signed. Each place is filled once: what fills it is no template."""
        parts = []
        for part in _PLACES.split(self.signed):
            match part:
                case "{body}":
                    parts.append(delivery.body)
                case "{timestamp}":
                    parts.append(_read_header(delivery, self.timestamp_header))
                case "{svix-id}":
                    parts.append(_read_header(delivery, self.id_header))
                case "{method}":
                    parts.append(delivery.method.encode("utf-8", "replace"))
                case "{url}":
                    parts.append(delivery.url.encode("utf-8", "replace"))
                case _:
                    parts.append(part.encode())
        return b"".join(parts)


def check_places(signed: str) -> str:
    """Return what is signed, as it stands in the options; raises ValueError with the cure."""
    unknown = sorted(set(_PLACES.findall(signed)) - PLACES)
    if unknown:
        raise ValueError(f"{unknown[0]} is unknown: use {', '.join(sorted(PLACES))}")
    if "{body}" not in signed:
        raise ValueError("{body} is missing: a signature that leaves it out protects nothing")
    return signed


def _read_header(delivery: Delivery, name: str | None) -> bytes:
    return require_header(delivery, name or "").encode("utf-8", "replace")
