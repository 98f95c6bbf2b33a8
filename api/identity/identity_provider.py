"""The keys that an identity provider publishes (JWKS), fetched beside requests, never in one."""

import threading
import time
from collections.abc import Mapping
from typing import Final

import jwt
import requests
import structlog

from api.http.errors import TryLaterError
from shared.http_deadlines import open_session

log = structlog.get_logger(__name__)

REFRESH_S: Final = 300.0
# After a failure, and for a key that the last set did not have.
REFRESH_SOONEST_S: Final = 10.0
# Providers announce new keys days ahead: yesterday's set is better than nobody signed in.
KEEP_S: Final = 24 * 3600.0
SOCKET_TIMEOUT_S: Final = 3.0
FETCH_S: Final = 10.0  # from the request to the end of the response
MOST_BYTES: Final = 1024 * 1024
# While there is no set a few requests wait for the first; all others get an error that says to come
# again.
MOST_WAITING: Final = 4


class PublishedKeys:
    """The keys of tokens that an identity provider signs and whose public half it publishes.

    A thread fetches them when a token is shown and the set is old. Whatever the provider does, it
    holds no more than `MOST_WAITING` requests: webhooks need the same threads.
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
        self._has_failed = False
        self._idle = threading.Event()
        self._idle.set()
        self._starting = threading.Lock()
        self._may_wait = threading.BoundedSemaphore(MOST_WAITING)

    def find(self, token: str) -> jwt.PyJWK:
        """Return the key that the token names.

        Raises:
            TryLaterError: There are no keys, or the token's may have been published just now.
            jwt.PyJWTError: The provider has no such key.
        """
        key_id = str(jwt.get_unverified_header(token).get("kid"))
        if self._age() > REFRESH_S:
            self._fetch_beside()
        if self._age() > KEEP_S:
            self._await_fetch()
        if self._age() > KEEP_S:
            raise TryLaterError("The keys that tokens are checked with cannot be read.")
        key = self._keys.get(key_id)
        if key is not None:
            return key
        if self._fetch_beside():
            raise TryLaterError("The token's key is looked for. Send the request again.")
        raise jwt.InvalidKeyError("no such key")

    def _age(self) -> float:
        return time.monotonic() - self._fetched_at

    def _await_fetch(self) -> None:
        if not self._has_failed and self._may_wait.acquire(blocking=False):
            self._idle.wait(SOCKET_TIMEOUT_S)
            self._may_wait.release()

    def _fetch_beside(self) -> bool:
        """Fetch in a thread, unless that was tried just now; returns whether one is under way."""
        with self._starting:
            rested = time.monotonic() - self._asked_at > REFRESH_SOONEST_S
            if self._idle.is_set() and rested:
                self._idle.clear()
                threading.Thread(
                    target=self._fetch_once, name="published-keys", daemon=True
                ).start()
        return not self._idle.is_set()

    def _fetch_once(self) -> None:
        try:
            self._has_failed = not self._fetch()
        finally:
            self._asked_at = time.monotonic()
            self._idle.set()

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
        """The provider's keys; raises RequestException when late, an error or too large."""
        parts, size = [], 0
        with (
            open_session(1) as session,
            session.get(self._url, timeout=(SOCKET_TIMEOUT_S, FETCH_S), stream=True) as response,
        ):
            response.raise_for_status()
            for part in response.iter_content(16 * 1024):
                parts.append(part)
                size += len(part)
                if size > MOST_BYTES:
                    raise requests.RequestException("too long")
        return b"".join(parts).decode()
