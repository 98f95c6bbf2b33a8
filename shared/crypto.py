"""Encryption of HubSpot tokens at rest, keyed hashes of what Redis must not see, and signatures."""

import base64
import hashlib
import hmac
import json
import os
import time
from collections.abc import Sequence
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION = "v1"
TABLE = "hubspot_oauth_tokens"
NONCE_BYTES = 12  # what GCM is specified for (NIST SP 800-38D §8.2)
KEYED_HASH_BYTES = 16
SIGNATURE_BYTES = 16
# Processes' clocks differ.
CLOCK_SKEW_S = 60
# Digits of the time at which it ends, and of the signature.
_END_DIGITS = 11
_SIGNATURE_DIGITS = 2 * SIGNATURE_BYTES


class UndecryptableError(Exception):
    """A stored token does not decrypt: its key left TOKEN_ENCRYPTION_KEYS, or it was altered."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class TokenCipher:
    """AES-256-GCM under the first of several keys; every key decrypts.

    A ciphertext is the text `v1.<key id>.<base64url of nonce and sealed text>`. The key id is
    the first 8 hex digits of the key's SHA-256. Table, row id, field and key id are associated
    data, so a ciphertext copied into another row or field does not decrypt there.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Take keys of 32 bytes; the first encrypts."""
        self._ciphers = {_key_id(key): AESGCM(key) for key in keys}
        self._current_id = _key_id(keys[0])
        self._hash_key = _derive(keys[0], b"keyed hash of phone numbers")
        self._signing_keys = [_derive(key, b"signature of what Redis keeps") for key in keys]

    def encrypt(self, plaintext: str, *, row_id: str | UUID, field: str) -> str:
        """Encrypt a token for one field of one row of `hubspot_oauth_tokens`, or of another table.

        A ciphertext that is moved elsewhere, to the revocation list say, stays bound to the row
        it was made for: keep that row's id beside it.
        """
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._ciphers[self._current_id].encrypt(
            nonce, plaintext.encode(), _associated_data(row_id, field, self._current_id)
        )
        encoded = base64.urlsafe_b64encode(nonce + sealed).decode()
        return f"{VERSION}.{self._current_id}.{encoded}"

    def decrypt(self, ciphertext: str, *, row_id: str | UUID, field: str) -> str:
        """Return the token that `encrypt` was given for this row and field.

        Raises:
            UndecryptableError: No key fits, the text was altered, or it belongs elsewhere.
        """
        version, _, rest = ciphertext.partition(".")
        key_id, _, encoded = rest.partition(".")
        cipher = self._ciphers.get(key_id)
        if version != VERSION or cipher is None:
            raise UndecryptableError
        try:
            raw = base64.b64decode(encoded, altchars=b"-_", validate=True)
            opened = cipher.decrypt(
                raw[:NONCE_BYTES], raw[NONCE_BYTES:], _associated_data(row_id, field, key_id)
            )
        except (InvalidTag, ValueError) as error:
            raise UndecryptableError from error
        return opened.decode()

    def needs_rotation(self, ciphertext: str) -> bool:
        """Tell whether a ciphertext was made with another key than the first."""
        return not ciphertext.startswith(f"{VERSION}.{self._current_id}.")

    def keyed_hash(self, value: str) -> str:
        """Return 32 hex digits that stand for a phone number in Redis's cache keys.

        Its key comes from the first encryption key: making another key first empties the cache,
        which costs searches and nothing else. So never store the hash where it must last.
        """
        digest = hmac.digest(self._hash_key, value.encode(), hashlib.sha256)
        return digest[:KEYED_HASH_BYTES].hex()

    def sign(self, *parts: str) -> str:
        """Return 32 hex digits that only a holder of the first key can make of these parts."""
        return _sign(self._signing_keys[0], parts)

    def is_signature(self, signature: str, *parts: str) -> bool:
        """Tell whether `sign` made it of the same parts, under any of the keys."""
        made = (_sign(key, parts).encode() for key in self._signing_keys)
        return any(hmac.compare_digest(each, signature.encode()) for each in made)


def seal(cipher: TokenCipher, value: str, *use: str, lives_s: int) -> bytes:
    """Sign a text for what it is used for, until `lives_s` seconds from now.

    Whoever can write to Redis may delete such a text, or put an old one back while it lasts. A text
    of their own, one of another use, and one whose time is over all count as absent.
    """
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


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(key)


def _sign(key: bytes, parts: Sequence[str]) -> str:
    # As JSON, so that no two lists of parts are the same bytes.
    digest = hmac.digest(key, json.dumps(parts).encode(), hashlib.sha256)
    return digest[:SIGNATURE_BYTES].hex()


def _key_id(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:8]


def _associated_data(row_id: str | UUID, field: str, key_id: str) -> bytes:
    return json.dumps([TABLE, str(row_id), field, key_id]).encode()
