"""The keys that an identity provider publishes (JWKS), fetched beside requests, never in one."""

import threading
import time
from collections.abc import Mapping
from typing import Final

import jwt
import requests
import structlog

from api.errors import TryLaterError

log = structlog.get_logger(__name__)

REFRESH_S: Final = 300.0
# After a failure, and for a key that the last set did not have.
REFRESH_SOONEST_S: Final = 10.0
# Providers announce new keys days ahead: yesterday's set is better than nobody signed in.
KEEP_S: Final = 24 * 3600.0
SOCKET_TIMEOUT_S: Final = 3.0
FETCH_S: Final = 10.0
MOST_BYTES: Final = 1024 * 1024
# Right after the start a few requests wait for the first set; all others are told to come again.
MOST_WAITING: Final = 4


class PublishedKeys:
    """The keys of tokens that an identity provider signs and whose public half it publishes.

    A thread fetches them, from the first use on and hence after any fork. Whatever the provider
    does, it holds no more than `MOST_WAITING` requests: webhooks need the same threads.
    """

    algorithms = (
        *(f"{kind}{size}" for kind in ("RS", "PS", "ES") for size in (256, 384, 512)),
        "EdDSA",
    )

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched_at = -KEEP_S  # the set that is held, on the monotonic clock
        self._asked_at = -KEEP_S
        self._wanted = threading.Event()
        self._first_fetch = threading.Event()
        self._may_wait = threading.BoundedSemaphore(MOST_WAITING)
        self._starting = threading.Lock()
        self._has_thread = False

    def find(self, token: str) -> jwt.PyJWK:
        """Return the key that the token names.

        Raises:
            TryLaterError: There are no keys, or the token's may have been published just now.
            jwt.PyJWTError: The provider has no such key.
        """
        key_id = str(jwt.get_unverified_header(token).get("kid"))
        self._start_fetching()
        self._await_first_fetch()
        now = time.monotonic()
        if now - self._fetched_at > KEEP_S:
            raise TryLaterError("The keys that tokens are checked with cannot be read.")
        key = self._keys.get(key_id)
        if key is not None:
            return key
        if now - self._asked_at > REFRESH_SOONEST_S:
            self._wanted.set()
            raise TryLaterError("The token's key is looked for. Send the request again.")
        raise jwt.InvalidKeyError("no such key")

    def _await_first_fetch(self) -> None:
        if not self._first_fetch.is_set() and self._may_wait.acquire(blocking=False):
            self._first_fetch.wait(SOCKET_TIMEOUT_S)
            self._may_wait.release()

    def _start_fetching(self) -> None:
        if self._has_thread:
            return
        with self._starting:
            if not self._has_thread:
                threading.Thread(
                    target=self._keep_fresh, name="published-keys", daemon=True
                ).start()
                self._has_thread = True

    def _keep_fresh(self) -> None:
        while True:
            self._wanted.clear()
            is_fresh = self._fetch()
            self._asked_at = time.monotonic()
            self._first_fetch.set()
            if is_fresh:
                self._wanted.wait(REFRESH_S)
            else:
                time.sleep(REFRESH_SOONEST_S)

    def _fetch(self) -> bool:
        try:
            keys = jwt.PyJWKSet.from_json(self._read()).keys
        # ValueError: what came is not JSON, or not text; AttributeError: it is JSON of another kind
        except (requests.RequestException, jwt.PyJWTError, ValueError, AttributeError) as error:
            log.warning("published_keys_not_read", error=type(error).__name__)
            return False
        found = {key.key_id: key for key in reversed(keys) if key.key_id is not None}
        if not found:
            log.warning("published_keys_not_read", error="no key has an id")
            return False
        self._keys, self._fetched_at = found, time.monotonic()
        return True

    def _read(self) -> str:
        """The provider's answer; raises RequestException when it is late, an error or too large."""
        give_up_at = time.monotonic() + FETCH_S
        parts, size = [], 0
        with requests.get(self._url, timeout=SOCKET_TIMEOUT_S, stream=True) as answer:
            answer.raise_for_status()
            for part in answer.iter_content(16 * 1024):
                parts.append(part)
                size += len(part)
                if size > MOST_BYTES or time.monotonic() > give_up_at:
                    raise requests.Timeout("too long")
        return b"".join(parts).decode()
