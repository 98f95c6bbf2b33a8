"""A voice platform that keeps a record of every webhook it posts."""

import json
import secrets
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Final

import requests
from requests import Response
from standardwebhooks import Webhook

from faults.judging.history import Delivery, History, SentCall
from faults.proxies.traps import GUARD_S
from local.producer import WEBHOOK_PATH

TIMEOUT_S: Final = 15.0
ARRAY: Final = 1_000
TRY_AGAIN_AFTER_S: Final = 0.25


class RecordingProducer:
    """Posts calls to `api_url`, signed with `secret`, and enters each answer into `history`."""

    def __init__(self, api_url: str, secret: str, history: History) -> None:
        self._url = api_url + WEBHOOK_PATH
        self._webhook = Webhook(secret)
        self._history = history
        self._session = requests.Session()
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=64)
        self._session.mount("http://", adapter)

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()

    def deliver(
        self, call: SentCall, *, delivery_id: str | None = None, sent_at: datetime | None = None
    ) -> Delivery:
        """Post one webhook once, whatever is answered; `sent_at` is its signed time."""
        sent_at = sent_at or datetime.now(UTC)
        body = {"type": "call.ended", "timestamp": sent_at.isoformat(), "data": call.data}
        started = time.monotonic()
        delivery = Delivery(call, None, None, None, 0)
        try:
            answer = self._send(body, delivery_id, sent_at)
            accepted = answer.json() if answer.ok else {}
            delivery = Delivery(
                call,
                answer.status_code,
                accepted.get("id"),
                accepted.get("duplicate"),
                time.monotonic() - started,
                is_updated=accepted.get("updated", False),
            )
        except requests.RequestException:
            pass  # no answer is an entry too
        self._history.add(delivery)
        return delivery

    def deliver_array(self, calls: Sequence[SentCall]) -> None:
        """Post calls of the past as arrays, each once; raises requests.RequestException."""
        for first in range(0, len(calls), ARRAY):
            part = calls[first : first + ARRAY]
            started = time.monotonic()
            answer = self._send([call.data for call in part], None, datetime.now(UTC))
            answer.raise_for_status()
            seconds = time.monotonic() - started
            for call, each in zip(part, answer.json()["results"], strict=True):
                self._history.add(
                    Delivery(
                        call,
                        answer.status_code,
                        each["id"],
                        each["duplicate"],
                        seconds,
                        is_updated=each["updated"],
                    )
                )

    def _send(self, content: object, delivery_id: str | None, sent_at: datetime) -> Response:
        delivery_id = delivery_id or f"msg_{secrets.token_hex(12)}"
        body = json.dumps(content)
        headers = {
            "content-type": "application/json",
            "webhook-id": delivery_id,
            "webhook-timestamp": str(int(sent_at.timestamp())),
            "webhook-signature": self._webhook.sign(delivery_id, sent_at, body),
        }
        return self._session.post(self._url, data=body.encode(), headers=headers, timeout=TIMEOUT_S)

    def insist(self, call: SentCall) -> Delivery:
        """Post one call as producers do: again after every answer but a 2xx or 4xx.

        Raises TimeoutError when it is not acknowledged in the end.
        """
        deadline = time.monotonic() + GUARD_S
        while time.monotonic() < deadline:
            delivery = self.deliver(call)
            if delivery.is_acknowledged:
                return delivery
            time.sleep(TRY_AGAIN_AFTER_S)
        raise TimeoutError(f"the call {call.call_id} was not acknowledged")

    def insist_on_all(self, calls: Iterable[SentCall], *, at_once: int = 8) -> list[Delivery]:
        """Post calls side by side."""
        with ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(self.insist, calls))
