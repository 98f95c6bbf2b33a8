"""HMAC signatures whose parts the customer chooses: header, hash, spelling, and what is signed."""

import base64
import hmac
import re
from collections.abc import Callable
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from sources.adapter import Delivery, InvalidSecretError, Options, Refusal, RefusedError, Secret
from sources.signing import (
    read_base64,
    read_hex,
    read_key,
    require_fresh,
    require_header,
    sign,
)

_PLACES: Final = re.compile(r"(\{[^{}]*\})")
PLACES: Final = ("{body}", "{timestamp}", "{method}", "{url}", "{svix-id}")
SIZES: Final = {"sha256": 32, "sha512": 64, "sha1": 20}


def _check_places(payload: str) -> str:
    unknown = [each for each in _PLACES.findall(payload) if each not in PLACES]
    if unknown:
        raise ValueError(f"has an unknown place: use {', '.join(PLACES)}")
    if "{body}" not in payload:
        raise ValueError("lacks {body}: a signature that leaves it out protects nothing")
    return payload


Algorithm = Literal["sha256", "sha512", "sha1"]
Encoding = Literal["hex", "base64"]
HeaderName = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_-]+$")]
Payload = Annotated[str, Field(max_length=200), AfterValidator(_check_places)]


class HmacOptions(Options):
    """How deliveries are signed. The names and the defaults are Vapi's."""

    algorithm: Algorithm = "sha256"
    signature_header: HeaderName = "x-signature"
    prefix: Annotated[str, Field(max_length=100)] = ""
    """What stands before the digest: `sha256=`."""
    timestamp_header: HeaderName | None = "x-timestamp"
    """The header of `{timestamp}`, in epoch seconds or milliseconds. What is not signed proves
    nothing: without `{timestamp}` in the payload it is not looked at."""
    payload: Payload = "{timestamp}.{body}"
    """What is signed: `{body}`, and perhaps `{timestamp}`, `{method}`, `{url}`, `{svix-id}`."""
    message_id_header: HeaderName = "svix-id"
    """The header of `{svix-id}`."""
    encoding: Encoding = "hex"
    secret_is_base64: bool = False
    """Whether the secret is the key in base64, with or without `whsec_`."""

    @model_validator(mode="after")
    def _require_header_of_time(self) -> Self:
        if self.timestamp_header is None and "{timestamp}" in self.payload:
            raise ValueError(
                "payload holds {timestamp}: name its header in timestamp_header, or take it out"
            )
        return self

    def verify(self, delivery: Delivery) -> Callable[[Secret], bool]:
        """Whether a secret proves a delivery; raises RefusedError if none can.

        The signature's form and time are checked before the body is hashed.
        """
        given = require_header(delivery, self.signature_header)
        digest = self._read_digest(given)
        if digest is None:
            raise RefusedError(
                Refusal.MALFORMED_SIGNATURE,
                f"The header {self.signature_header} holds no {self.algorithm} signature in"
                f" {self.encoding}{' behind its prefix' if self.prefix else ''}.",
            )
        if self.timestamp_header and "{timestamp}" in self.payload:
            stamp = require_header(delivery, self.timestamp_header)
            require_fresh(stamp, delivery.received_at)
        signed = self._fill(delivery)

        def proves(secret: Secret) -> bool:
            try:
                made = sign(self._read_key(secret.value), signed, self.algorithm)
            except InvalidSecretError:
                return False
            return hmac.compare_digest(made, digest)

        return proves

    def sign(self, secret: str, delivery: Delivery) -> dict[str, str]:
        """The header of the signature for a delivery that has the other headers already."""
        digest = sign(self._read_key(secret), self._fill(delivery), self.algorithm)
        text = digest.hex() if self.encoding == "hex" else base64.b64encode(digest).decode()
        return {self.signature_header: self.prefix + text}

    def _read_digest(self, given: str) -> bytes | None:
        if not given.startswith(self.prefix):
            return None
        read = read_hex if self.encoding == "hex" else read_base64
        return read(given.removeprefix(self.prefix), SIZES[self.algorithm])

    def _read_key(self, secret: str) -> bytes:
        return read_key(secret) if self.secret_is_base64 else secret.encode("utf-8", "replace")

    def _fill(self, delivery: Delivery) -> bytes:
        """What is signed. Each place is filled once: what fills it is no template."""
        parts = []
        for part in _PLACES.split(self.payload):
            match part:
                case "{body}":
                    parts.append(delivery.body)
                    continue
                case "{timestamp}":
                    text = require_header(delivery, self.timestamp_header or "")
                case "{svix-id}":
                    text = require_header(delivery, self.message_id_header)
                case "{method}":
                    text = delivery.method
                case "{url}":
                    text = delivery.url
                case _:
                    text = part
            parts.append(text.encode("utf-8", "replace"))
        return b"".join(parts)
