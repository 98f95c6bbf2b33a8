"""Who signed a webhook: Standard Webhooks over the raw body, with several secrets at a time.

Anybody may send 16 MiB, and each secret that is tried hashes all of it. So what can be refused
without the body is refused before it is read, and of many secrets those are tried that may speak
for whom the body names. The others are tried only as long as strangers have not used up an
allowance.
"""

import base64
import hmac
import json
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from math import floor, isfinite
from typing import Final, NamedTuple

from werkzeug.datastructures import Headers

from api.errors import InvalidSignatureError, TryLaterError, WrongWorkspaceError
from api.slots import Allowance
from shared.settings import WebhookSecret

SIGNATURE_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
TOLERANCE_S: Final = 300
# Of 32 bytes in base64.
ENCODED_LENGTH: Final = 44
# So many secrets of the platform and of the workspaces that a body names are tried on each body.
LIKELY_SECRETS: Final = 4
# At 3 ms a MiB, as on slow machines: less than a second, and then a twentieth of a core.
STRANGERS_BYTES: Final = 256 * 1024 * 1024
STRANGERS_BYTES_PER_S: Final = 16 * 1024 * 1024
# What a secret costs without any body, and a signature to compare with it, in bytes to hash.
SECRET_BYTES: Final = 2048
SIGNATURE_BYTES: Final = 256
# Where ids are looked for. The first call of an array ends within it, and may hold others' ids.
SEARCHED_BYTES: Final = 1024 * 1024
MOST_IDS: Final = 32

# Of 255 characters, each written as two escapes.
_ID: Final = rb'"\s*+:\s*+("(?:[^"\\]|\\.){0,3060}+")'
_IDS: Final = {
    name: re.compile(name.encode() + _ID, re.DOTALL) for name in ("workspace_id", "user_id")
}
INVALID_SIGNATURE = (
    "The webhook's signature does not fit, or its timestamp is more than 5 minutes off. Sign"
    " webhook-id, webhook-timestamp and the raw body with a current secret, as Standard Webhooks"
    " says, and check the clock."
)


class Signers:
    """Whose secrets fit one webhook: the platform's, a workspace's, or one of its users'."""

    def __init__(self, secrets: Iterable[WebhookSecret]) -> None:
        self._secrets = tuple(secrets)

    @property
    def bound_to(self) -> tuple[str, str | None] | None:
        """The only workspace, and the only user of it if there is one, that they may name.

        None when the platform's is among them.
        """
        bound = [(each.workspace_id, each.user_id) for each in self._secrets]
        if any(workspace_id is None for workspace_id, _ in bound):
            return None
        # Of a user's own secret and the workspace's, the latter says whose it is.
        return min(bound, key=lambda each: each[1] is not None)  # type: ignore[return-value]

    def require(self, *, user_id: str, workspace_id: str) -> None:
        """Raise WrongWorkspaceError unless they may speak for the user and workspace."""
        if any(each.may_name(user_id, workspace_id) for each in self._secrets):
            return
        raise WrongWorkspaceError(
            "The secret that signed this webhook belongs to another user of this workspace."
            if any(each.workspace_id == workspace_id for each in self._secrets)
            else "The secret that signed this webhook belongs to another workspace."
        )


class Signature(NamedTuple):
    """What the headers say: when it was signed, how what was signed begins, and the signatures."""

    signed_at: float
    beginning: bytes
    given: tuple[bytes, ...]

    @property
    def is_fresh(self) -> bool:
        return abs(time.time() - self.signed_at) <= TOLERANCE_S


class _Key(NamedTuple):
    """A key, and all whose secret it is."""

    key: bytes
    owners: tuple[WebhookSecret, ...]

    def fits(self, signature: Signature, body: bytes) -> bool:
        made = hmac.new(self.key, signature.beginning, "sha256")
        made.update(body)
        expected = made.digest()
        return any(hmac.compare_digest(expected, each) for each in signature.given)


class WebhookVerifier:
    """Checks signatures against the configured secrets, of which several may be valid at a time.

    The body is hashed as it came, and never copied: whether it is text is for its reader to say.
    """

    def __init__(self, secrets: Iterable[WebhookSecret]) -> None:
        owners: dict[bytes, list[WebhookSecret]] = defaultdict(list)
        for each in secrets:
            owners[_read_key(each.secret.get_secret_value())].append(each)
        self._keys = tuple(_Key(key, tuple(whose)) for key, whose in owners.items())
        self._by_workspace: dict[str | None, list[_Key]] = defaultdict(list)
        for key in self._keys:
            for workspace_id in dict.fromkeys(owner.workspace_id for owner in key.owners):
                self._by_workspace[workspace_id].append(key)
        self._strangers = Allowance(STRANGERS_BYTES, per_second=STRANGERS_BYTES_PER_S)

    def read(self, headers: Mapping[str, str] | Headers) -> Signature:
        """What can be checked before the body is read.

        Raises:
            InvalidSignatureError: A header is missing or malformed, or the timestamp is too old.
        """
        try:
            return _read_signature(headers)
        except ValueError as error:
            raise InvalidSignatureError(INVALID_SIGNATURE) from error

    def verify(self, body: bytes, signature: Signature) -> Signers:
        """Return who signed a body.

        Raises:
            InvalidSignatureError: No secret fits, or the body took too long to come.
            TryLaterError: None of the likely ones fits, and strangers have kept us too busy to try
                the others.
        """
        if not signature.is_fresh:
            raise InvalidSignatureError(INVALID_SIGNATURE)
        likely = self._choose(body)
        fitting = [each for each in likely if each.fits(signature, body)]
        if not fitting and len(likely) < len(self._keys):
            fitting = self._try_others(likely, signature, body)
        if not fitting:
            raise InvalidSignatureError(INVALID_SIGNATURE)
        return Signers(owner for each in fitting for owner in each.owners)

    def _choose(self, body: bytes) -> Sequence[_Key]:
        """The keys of those who may speak for whom a body names; all, if they are few."""
        if len(self._keys) <= 2 * LIKELY_SECRETS:
            return self._keys
        user_ids = {*_find_ids("user_id", body), None}
        own = dict.fromkeys(
            key
            for workspace_id in _find_ids("workspace_id", body)
            for key in self._by_workspace.get(workspace_id, ())
            if any(owner.user_id in user_ids for owner in key.owners)
        )
        platform = self._by_workspace.get(None, ())
        return [*islice(platform, LIKELY_SECRETS), *islice(own, LIKELY_SECRETS)]

    def _try_others(self, tried: Sequence[_Key], signature: Signature, body: bytes) -> list[_Key]:
        others = [key for key in self._keys if key not in tried]
        cost = len(body) + SECRET_BYTES + SIGNATURE_BYTES * len(signature.given)
        if not self._strangers.take(cost * len(others)):
            raise TryLaterError(
                "Too much is sent that no secret fits. Try again soon.", code="busy"
            )
        fitting = [key for key in others if key.fits(signature, body)]
        if fitting:
            self._strangers.give_back(cost * len(others))
        return fitting


def _find_ids(name: str, body: bytes) -> Iterator[str]:
    """What a body seems to name: a hint, looked for without reading the JSON."""
    matches = islice(_IDS[name].finditer(body, 0, SEARCHED_BYTES), MOST_IDS)
    for written in dict.fromkeys(match[1] for match in matches):
        with suppress(ValueError):
            yield json.loads(written)


def _read_key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix("whsec_") + "==")


def _read_signature(headers: Mapping[str, str] | Headers) -> Signature:
    """What can be checked without the body; raises ValueError."""
    delivery, stamp, given = (headers.get(name, "") for name in SIGNATURE_HEADERS)
    seconds = float(stamp)
    if not (delivery and given and isfinite(seconds)):
        raise ValueError("a header is missing")
    beginning = f"{delivery}.{floor(seconds)}.".encode()
    signature = Signature(seconds, beginning, tuple(_decode_each(given)))
    if not signature.is_fresh:
        raise ValueError("signed at another time")
    if not signature.given:
        raise ValueError("no signature that we know")
    return signature


def _decode_each(given: str) -> Iterable[bytes]:
    for each in given.split(" "):
        version, _, encoded = each.partition(",")
        if version == "v1" and len(encoded) == ENCODED_LENGTH:
            with suppress(ValueError):
                yield base64.b64decode(encoded, validate=True)
