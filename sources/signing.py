"""What the verifiers share: constant-time comparison, strict digests, freshness, secrets.

A verifier fails closed: what is absent, doubled, blank or written in a second way is refused.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
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

LEAST_SECRET: Final = 6
MOST_SECRET: Final = 4096
# More signatures than a rotation of secrets brings.
MOST_SIGNATURES: Final = 8

_HEX: Final = re.compile(r"[0-9a-fA-F]+", re.ASCII)
# A timestamp in seconds has 10 digits, in milliseconds 13.
_EPOCH: Final = re.compile(r"\d{10}|\d{13}", re.ASCII)


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
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def check_secret(text: str) -> None:
    """Raise InvalidSecretError unless a text can be a shared secret."""
    if not text.strip():
        raise InvalidSecretError("The secret is empty: paste it as it is shown there.")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise InvalidSecretError(
            "The secret holds blanks, line ends or characters that no secret has: copy it again,"
            " without what stands around it."
        )
    if not LEAST_SECRET <= len(text) <= MOST_SECRET:
        raise InvalidSecretError(
            f"The secret must have {LEAST_SECRET} to {MOST_SECRET:,} characters: copy the whole of"
            " it."
        )


def read_key(text: str) -> bytes:
    """The bytes of a secret that is base64, with or without `whsec_`.

    Raises InvalidSecretError.
    """
    encoded = text.removeprefix("whsec_")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < LEAST_SECRET or len(text) > MOST_SECRET:
        raise InvalidSecretError(
            "The secret is not base64: copy the whole of it, as it is shown"
            " (it often begins with whsec_)."
        )
    return key


def check_key(text: str) -> None:
    """Raise InvalidSecretError unless a text is a secret in base64, with or without `whsec_`."""
    read_key(text)


def find_secret(secrets: Iterable[Secret], proves: Callable[[Secret], bool]) -> Secret | None:
    """The first secret that proves a delivery. All are tried, so that time tells nothing.

    An empty secret proves nothing: everybody knows it.
    """
    found = [secret for secret in secrets if secret.value.strip() and proves(secret)]
    return found[0] if found else None


def require_secrets(secrets: Sequence[Secret]) -> None:
    """Raise RefusedError if there is no secret to check a delivery with."""
    if not secrets:
        raise RefusedError(Refusal.NO_SECRET, "The source has no secret yet: add it first.")


def prove(secrets: Sequence[Secret], proves: Callable[[Secret], bool], cure: str) -> Secret:
    """The secret that proves a delivery; raises RefusedError, with a sentence on what to check."""
    require_secrets(secrets)
    found = find_secret(secrets, proves)
    if found is None:
        raise RefusedError(
            Refusal.WRONG_SIGNATURE, f"The signature fits none of the source's secrets. {cure}"
        )
    return found


def prove_by_scheme(
    secrets: Sequence[Secret],
    ways: Mapping[str, Callable[[], Callable[[Secret], bool]]],
    cure: str,
) -> Secret:
    """The secret that proves a delivery, each by the way of its scheme; raises RefusedError.

    Args:
        secrets: All that are valid.
        ways: By scheme, what reads the delivery and returns whether a secret proves it; raises
            RefusedError if none can.
        cure: A sentence on what to check.
    """
    refusals = []
    for scheme, read_delivery in ways.items():
        of_scheme = [each for each in secrets if each.scheme == scheme]
        if not of_scheme:
            continue
        try:
            return prove(of_scheme, read_delivery(), cure)
        except RefusedError as error:
            refusals.append(error)
    if not refusals:
        require_secrets(())
    # What another scheme misses says less than a signature that does not fit.
    raise min(refusals, key=lambda each: each.code is Refusal.MISSING_SIGNATURE)


def require_header(delivery: Delivery, name: str) -> str:
    """A header's value; raises RefusedError if it is absent, blank or came twice."""
    value = delivery.header(name)
    if value is not None:
        return value
    if delivery.has_header(name):
        raise RefusedError(
            Refusal.MALFORMED_SIGNATURE, f"The header {name} is blank or came more than once."
        )
    raise RefusedError(Refusal.MISSING_SIGNATURE, f"The delivery has no header {name}.")


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


def require_fresh_time(stamp: str, received_at: datetime, within_s: int = FRESH_S) -> None:
    """Raise RefusedError unless a time in ISO 8601, with its zone, is about now."""
    try:
        time = datetime.fromisoformat(stamp)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise RefusedError(
            Refusal.MALFORMED_SIGNATURE, "The time of the signature is missing or unreadable."
        )
    require_fresh(f"{max(0, int(time.timestamp())):010d}", received_at, within_s)


def verify_standard(delivery: Delivery) -> Callable[[Secret], bool]:
    """Whether a secret (`whsec_…`) proves a delivery, by the published Standard Webhooks.

    The reference library compares with its own clock, and we with the time of reception. Raises
    RefusedError if no secret can prove it.
    """
    message_id = require_header(delivery, "webhook-id")
    stamp = require_header(delivery, "webhook-timestamp")
    given = require_header(delivery, "webhook-signature").split(" ")
    versioned = (each.partition(",") for each in given[:MOST_SIGNATURES])
    read = [read_base64(text, 32) for version, _, text in versioned if version == "v1"]
    digests = [each for each in read if each is not None]
    if not digests:
        raise RefusedError(
            Refusal.MALFORMED_SIGNATURE, "The header webhook-signature holds no v1 signature."
        )
    require_fresh(stamp, delivery.received_at)
    signed = f"{message_id}.{stamp}.".encode("utf-8", "replace") + delivery.body

    def proves(secret: Secret) -> bool:
        try:
            made = sign(read_key(secret.value), signed)
        except InvalidSecretError:
            return False
        return any(hmac.compare_digest(made, each) for each in digests)

    return proves


def sign_standard(secret: str, message_id: str, signed_at: datetime, body: bytes) -> dict[str, str]:
    """The headers of a delivery that is signed by Standard Webhooks."""
    stamp = str(int(signed_at.timestamp()))
    digest = sign(read_key(secret), f"{message_id}.{stamp}.".encode() + body)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
