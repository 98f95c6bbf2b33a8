"""Who signed a webhook: Standard Webhooks over the raw body, with several secrets at a time."""

import base64
import hmac
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from math import floor, isfinite
from typing import Final, NamedTuple

from api.errors import InvalidSignatureError, WrongWorkspaceError
from shared.settings import WebhookSecret

SIGNATURE_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
TOLERANCE_S: Final = 300
# Of 32 bytes in base64.
ENCODED_LENGTH: Final = 44
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


class _Signature(NamedTuple):
    """What the headers say: the beginning of what was signed, and the signatures."""

    beginning: bytes
    given: tuple[bytes, ...]


class WebhookVerifier:
    """Checks signatures against every configured secret, so that secrets can be rotated.

    The body is hashed as it came, and never copied: whether it is text is for its reader to say.
    """

    def __init__(self, secrets: Iterable[WebhookSecret]) -> None:
        self._secrets = tuple((_read_key(each.secret.get_secret_value()), each) for each in secrets)

    def verify(self, body: bytes, headers: Mapping[str, str]) -> Signers:
        """Return who signed; raises InvalidSignatureError when no secret fits."""
        try:
            signature = _read_signature(headers)
        except ValueError as error:
            raise InvalidSignatureError(INVALID_SIGNATURE) from error
        fitting = [each for key, each in self._secrets if _fits(key, signature, body)]
        if not fitting:
            raise InvalidSignatureError(INVALID_SIGNATURE)
        return Signers(fitting)


def _read_key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix("whsec_") + "==")


def _read_signature(headers: Mapping[str, str]) -> _Signature:
    """What can be checked without the body; raises ValueError."""
    delivery, stamp, given = (headers.get(name, "") for name in SIGNATURE_HEADERS)
    seconds = float(stamp)
    if not (delivery and given and isfinite(seconds)):
        raise ValueError("a header is missing")
    if abs(time.time() - seconds) > TOLERANCE_S:
        raise ValueError("signed at another time")
    signatures = tuple(_decode_each(given))
    if not signatures:
        raise ValueError("no signature that we know")
    return _Signature(f"{delivery}.{floor(seconds)}.".encode(), signatures)


def _decode_each(given: str) -> Iterable[bytes]:
    for each in given.split(" "):
        version, _, encoded = each.partition(",")
        if version == "v1" and len(encoded) == ENCODED_LENGTH:
            with suppress(ValueError):
                yield base64.b64decode(encoded, validate=True)


def _fits(key: bytes, signature: _Signature, body: bytes) -> bool:
    made = hmac.new(key, signature.beginning, "sha256")
    made.update(body)
    expected = made.digest()
    return any(hmac.compare_digest(expected, each) for each in signature.given)
