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
from operator import itemgetter
from typing import Final, NamedTuple

from werkzeug.datastructures import Headers

from api.http.errors import BusyError, InvalidSignatureError, WrongWorkspaceError
from api.http.slots import Allowance
from shared.configuration.settings import WebhookSecret

SIGNATURE_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
TOLERANCE_S: Final = 300
# Of 32 bytes in base64.
ENCODED_LENGTH: Final = 44
# So many secrets of the platform and of the workspaces that a body names are tried on each body.
LIKELY_SECRETS: Final = 4
# At 3 ms a MiB, as on slow machines: less than a second (what is owed at most takes another), and
# then a twentieth of a core.
STRANGERS_BYTES: Final = 256 * 1024 * 1024
# Of a larger body only so many secrets are tried as the allowance pays for.
SEARCHED_BYTES: Final = 1024 * 1024
STRANGERS_BYTES_PER_S: Final = 16 * 1024 * 1024
# What a secret costs without any body, and a signature to compare with it, in bytes to hash.
SECRET_BYTES: Final = 2048
SIGNATURE_BYTES: Final = 256
# So many ids are looked at from the first one on, and as many from the last one back.
MOST_IDS: Final = 32
# From the first one on, many may be the same.
MOST_MATCHES: Final = 1000

# Of 255 characters, each written as two escapes.
_ID: Final = rb'"\s*+:\s*+("(?:[^"\\]|\\.){0,3060}+")'
_IDS: Final = {
    name: re.compile(name.encode() + _ID, re.DOTALL) for name in ("workspace_id", "user_id")
}
SIGN_LIKELY: Final = (
    "Sign with a secret of the workspace that the call names, or one of the platform's first"
    f" {LIKELY_SECRETS}."
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
            else WrongWorkspaceError.usual
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
        self._by_owner: dict[tuple[str | None, str | None], list[_Key]] = defaultdict(list)
        for key in self._keys:
            for owner in key.owners:
                self._by_owner[owner.workspace_id, owner.user_id].append(key)
        self._strangers = Allowance(STRANGERS_BYTES, per_second=STRANGERS_BYTES_PER_S)

    def read(self, headers: Mapping[str, str] | Headers) -> Signature:
        """What can be checked before the body is read.

        Raises:
            InvalidSignatureError: A header is missing or malformed, or the timestamp is too old.
        """
        if missing := [name for name in SIGNATURE_HEADERS if not headers.get(name)]:
            raise InvalidSignatureError(
                f"The webhook has no header {' and no header '.join(missing)}. Sign it as Standard"
                " Webhooks says."
            )
        try:
            return _read_signature(headers)
        except ValueError as error:
            raise InvalidSignatureError from error

    def verify(self, body: bytes, signature: Signature) -> Signers:
        """Return who signed a body.

        Raises:
            InvalidSignatureError: No secret fits, or the body took too long to come.
            BusyError: None of the likely ones fits, and strangers have kept us too busy to try
                the others.
        """
        if not signature.is_fresh:
            raise InvalidSignatureError
        likely = self._choose(body)
        fitting = [each for each in likely if each.fits(signature, body)]
        if not fitting and len(likely) < len(self._keys):
            fitting = self._try_others(likely, signature, body)
        if not fitting:
            raise InvalidSignatureError
        return Signers(owner for each in fitting for owner in each.owners)

    def _choose(self, body: bytes) -> Sequence[_Key]:
        """The keys of those who may speak for whom a body names; all, if they are few."""
        if len(self._keys) <= 2 * LIKELY_SECRETS:
            return self._keys
        user_ids = [None, *_find_ids("user_id", body)]
        own = (
            key
            for workspace_id in _find_ids("workspace_id", body)
            for user_id in user_ids
            for key in self._by_owner.get((workspace_id, user_id), ())
        )
        chosen = dict.fromkeys(islice(self._platform, LIKELY_SECRETS))
        most = len(chosen) + LIKELY_SECRETS
        for key in own:
            chosen[key] = None
            if len(chosen) == most:
                break
        return tuple(chosen)

    @property
    def _platform(self) -> Sequence[_Key]:
        return self._by_owner.get((None, None), ())

    def _try_others(self, tried: Sequence[_Key], signature: Signature, body: bytes) -> list[_Key]:
        known = dict.fromkeys([*self._platform, *self._keys])
        others = [key for key in known if key not in tried]
        cost = len(body) + SECRET_BYTES + SIGNATURE_BYTES * len(signature.given)
        if len(body) > SEARCHED_BYTES:
            others = others[: STRANGERS_BYTES // cost]
        wait = self._strangers.take(cost * len(others))
        if wait:
            raise BusyError(
                f"Too much is sent that no secret fits. {SIGN_LIKELY} Or try again later.",
                retry_after_s=wait,
            )
        fitting = [key for key in others if key.fits(signature, body)]
        if fitting:
            self._strangers.give_back(cost * len(others))
        elif len(tried) + len(others) < len(self._keys):
            raise InvalidSignatureError(
                "No secret that was tried fits, and of so large a body not all are tried."
                f" {SIGN_LIKELY} Or send less at a time."
            )
        return fitting


def _find_ids(name: str, body: bytes) -> list[str]:
    """What a body seems to name: a hint, looked for without reading the JSON.

    The first and the last come first: a call's own ids stand before what else it holds, or behind
    it where keys are sorted.
    """
    matches = islice(_IDS[name].finditer(body, 0, SEARCHED_BYTES), MOST_MATCHES)
    first = list(dict.fromkeys(map(itemgetter(1), matches)))[:MOST_IDS]
    last = _find_last_ids(name, body)
    return list(_decode_ids(dict.fromkeys([*first[:1], *last, *first])))


def _find_last_ids(name: str, body: bytes) -> Iterator[bytes]:
    """What stands last, from the end on, as it is written."""
    key, end = name.encode() + b'"', SEARCHED_BYTES
    for _ in range(MOST_IDS):
        end = body.rfind(key, 0, end)
        if end < 0:
            return
        if found := _IDS[name].match(body, end, SEARCHED_BYTES):
            yield found[1]


def _decode_ids(written: Iterable[bytes]) -> Iterator[str]:
    for each in written:
        with suppress(ValueError):
            yield json.loads(each)


def _read_key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix("whsec_") + "==")


def _read_signature(headers: Mapping[str, str] | Headers) -> Signature:
    """What can be checked without the body; raises ValueError."""
    delivery, stamp, given = (headers.get(name, "") for name in SIGNATURE_HEADERS)
    seconds = float(stamp)
    if not isfinite(seconds):
        raise ValueError("no time")
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
