"""Who signed a webhook: Standard Webhooks over the raw body, with several secrets at a time."""

import binascii
from collections.abc import Iterable

from standardwebhooks import Webhook, WebhookVerificationError

from api.errors import InvalidSignatureError, WrongWorkspaceError
from shared.settings import WebhookSecret

SIGNATURE_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
INVALID_SIGNATURE = (
    "The webhook's signature does not fit, or its timestamp is more than 5 minutes off. Sign"
    " webhook-id, webhook-timestamp and the raw body with a current secret, as Standard Webhooks"
    " says, and check the clock."
)


class Signers:
    """Those whose secrets fit one webhook: workspaces, or the platform, which may name any."""

    def __init__(self, workspace_ids: Iterable[str | None]) -> None:
        self._workspace_ids = frozenset(workspace_ids)

    def require(self, workspace_id: str) -> None:
        """Raise ForbiddenError unless they may speak for the workspace."""
        if not self._workspace_ids & {None, workspace_id}:
            raise WrongWorkspaceError(
                "The secret that signed this webhook belongs to another workspace."
            )


class WebhookVerifier:
    """Checks signatures against every configured secret, so that secrets can be rotated."""

    def __init__(self, secrets: Iterable[WebhookSecret]) -> None:
        self._secrets = tuple(
            (Webhook(each.secret.get_secret_value()), each.workspace_id) for each in secrets
        )

    def verify(self, body: bytes, headers: dict[str, str]) -> Signers:
        """Return who signed; raises InvalidSignatureError when no secret fits."""
        fitting = [
            workspace_id for webhook, workspace_id in self._secrets if _fits(webhook, body, headers)
        ]
        if not fitting:
            raise InvalidSignatureError(INVALID_SIGNATURE)
        return Signers(fitting)


def _fits(webhook: Webhook, body: bytes, headers: dict[str, str]) -> bool:
    # The library lets what hostile headers and bodies provoke in b64decode and decode pass.
    try:
        webhook.verify(body, headers, json_parse=False)
    except (WebhookVerificationError, binascii.Error, ValueError):
        return False
    return True
