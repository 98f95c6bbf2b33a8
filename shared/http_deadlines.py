"""HTTP answers that are whole within their time: status, headers and body, however they trickle.

A timeout of requests is one of each single read, so a server that sends a byte every few seconds
could hold its reader for ever: in the headers, in `100 Continue` without end, in compressed bytes
that never become text.
"""

import http.client
import io
import socket
import time
from collections.abc import Mapping
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection


class _TimedReader(io.RawIOBase):
    """What a socket receives until `ends_at`, on the monotonic clock."""

    def __init__(self, raw: Any, connection: socket.socket, ends_at: float) -> None:
        super().__init__()
        self._raw = raw
        self._connection = connection
        self._ends_at = ends_at

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_s = self._ends_at - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        self._connection.settimeout(left_s)
        received: int | None = self._raw.readinto(buffer)
        return received

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    """Must be read within the timeout that its socket has when it begins."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        timeout = sock.gettimeout()
        if timeout is not None:
            raw = self.fp.detach()
            self.fp = io.BufferedReader(_TimedReader(raw, sock, time.monotonic() + timeout))


class _TimedConnection(HTTPConnection):
    response_class = _TimedResponse


class _TimedSecureConnection(HTTPSConnection):
    response_class = _TimedResponse


_TIMED: Final[Mapping[type, type]] = {
    HTTPConnection: _TimedConnection,
    HTTPSConnection: _TimedSecureConnection,
}


class TimedAdapter(HTTPAdapter):
    """With it, the second timeout of a request is that of the whole answer."""

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        kind = pool.ConnectionCls
        pool.ConnectionCls = _TIMED.get(kind, kind)
        return pool


def open_session(pool_size: int) -> requests.Session:
    """A session that repeats no request by itself and keeps up to `pool_size` idle connections."""
    session = requests.Session()
    adapter = TimedAdapter(pool_maxsize=pool_size, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session
