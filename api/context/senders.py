"""From which network address somebody asks, and lines in the log about whom we refuse."""

import time
from collections import Counter
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from threading import Lock
from typing import Final

import structlog
from flask import Flask, Response, request

from api.context.services import services

log = structlog.get_logger(__name__)

_REFUSED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
# Who asks without end must not push everything else out of the log.
PERIOD_S: Final = 60.0
LINES_AN_ADDRESS: Final = 20
LINES: Final = 600


def client_address() -> str | None:
    """The network address of whoever asks, as the trusted proxies report it.

    None where the server knows of none. What is no address is not taken over from a header.
    """
    proxies = services().settings.trusted_proxies
    if proxies:
        # Each proxy adds whom it heard from at the end; what stands before is anybody's claim.
        named = request.headers.get("X-Forwarded-For", "").split(",")
        if len(named) >= proxies and (address := _read_address(named[-proxies])):
            return address
    return _read_address(request.remote_addr or "")


def _read_address(text: str) -> str | None:
    """An address in its usual spelling, without the port that some proxies add."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        # A zone is a name on the machine of whoever wrote it.
        return str(address.ipv4_mapped or IPv6Address(int(address)))
    return str(address)


class _Ration:
    """So many lines in each period, of one address and of all."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._began = time.monotonic()
        self._lines: Counter[str | None] = Counter()
        self._left_out = 0

    def take(self, address: str | None) -> int | None:
        """How many lines were left out since the last one; None if this one is left out too."""
        with self._lock:
            now = time.monotonic()
            if now - self._began >= PERIOD_S:
                self._began = now
                self._lines.clear()
            if self._lines[address] >= LINES_AN_ADDRESS or self._lines.total() >= LINES:
                self._left_out += 1
                return None
            self._lines[address] += 1
            left_out, self._left_out = self._left_out, 0
            return left_out


def log_refusals(app: Flask) -> None:
    """Log the address of each request that is refused with 401 or 403, to see who guesses."""
    ration = _Ration()

    @app.after_request
    def log_refusal(response: Response) -> Response:
        if response.status_code not in _REFUSED:
            return response
        address = client_address()
        left_out = ration.take(address)
        if left_out is not None:
            log.warning(
                "request_refused",
                status=response.status_code,
                reason=_read_code(response),
                # The rule and not the path, which is anybody's text.
                route=request.url_rule.rule if request.url_rule else None,
                address=address,
                left_out=left_out,
            )
        return response


def _read_code(response: Response) -> str | None:
    """The error's code. The log calls it otherwise: `code` is what OAuth's secrets are called."""
    body = response.get_json(silent=True) if response.is_json else None
    error = body.get("error") if isinstance(body, dict) else None
    return error.get("code") if isinstance(error, dict) else None
