"""A voice platform as the service sees it: posts signed webhooks about calls that ended."""

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests
from standardwebhooks import Webhook

TIMEOUT_SECONDS = 10.0
WEBHOOK_PATH = "/api/webhooks/call-ended"


class WebhookRefusedError(Exception):
    """The webhook was not accepted; the message says what the service answered."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What a webhook was answered with: the sync log's id, and whether the call was known."""

    log_id: str
    is_duplicate: bool
    is_updated: bool


class Producer:
    """Posts webhooks to `api_url`, signed with a secret `whsec_…` as Standard Webhooks says."""

    def __init__(self, api_url: str, secret: str) -> None:
        """Raises ValueError when the secret is not base64."""
        self._url = api_url.rstrip("/") + WEBHOOK_PATH
        self._webhook = Webhook(secret)

    def post_call(self, call: Mapping[str, Any]) -> Acceptance:
        """Post one finished call, the webhook's `data`, as a delivery of its own.

        Raises:
            WebhookRefusedError: The service did not accept it.
            requests.RequestException: The service cannot be reached.
        """
        now = datetime.now(UTC)
        body = json.dumps({"type": "call.ended", "timestamp": now.isoformat(), "data": call})
        delivery = f"msg_{base64.urlsafe_b64encode(os.urandom(18)).decode()}"
        headers = {
            "content-type": "application/json",
            "webhook-id": delivery,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._webhook.sign(delivery, now, body),
        }
        answer = requests.post(
            self._url, data=body.encode(), headers=headers, timeout=TIMEOUT_SECONDS
        )
        if answer.status_code != requests.codes.accepted:
            raise WebhookRefusedError(describe_refusal(answer))
        accepted = answer.json()
        return Acceptance(accepted["id"], accepted["duplicate"], accepted["updated"])


def describe_refusal(answer: requests.Response) -> str:
    """Put an error of the service into words: its message, and the fields that are wrong."""
    try:
        error = answer.json()["error"]
        fields = (f"{each['field']} {each['message']}" for each in error.get("fields") or ())
        return f"{answer.status_code}: " + " ".join((error["message"], *fields))
    except (requests.JSONDecodeError, KeyError, TypeError):
        return f"{answer.status_code} {answer.reason}, which is not this service's way of answering"
