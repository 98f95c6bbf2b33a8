"""One HTTP exchange with HubSpot: the session it goes through, and a whole answer or an error."""

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy

import requests
from opentelemetry.trace import SpanKind
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema
from urllib3 import exceptions as urllib3_exceptions

from shared.http_deadlines import open_session
from shared.hubspot.errors import ConfigurationError, HubSpotError, NetworkError, UnavailableError
from shared.telemetry.metrics import HUBSPOT_REQUEST_SECONDS, HUBSPOT_REQUESTS
from shared.telemetry.tracing import annotate, span
from shared.version import own_version

MAX_ANSWER_BYTES = 16 * 1024 * 1024
CHUNK_BYTES = 64 * 1024

TOO_SLOW = "HubSpot did not answer in time."

DEFAULT_TIMEOUT = (3.0, 12.0)
"""Seconds to connect, and seconds from the request to the end of the answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer; `headers` ignore case, `body` may hold tokens."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    seconds: float


def build_session(pool_size: int) -> requests.Session:
    """A session that keeps up to `pool_size` idle connections to each host.

    It may be shared by threads and by connections of different customers: it repeats no request
    by itself and keeps no cookies. Build it after a fork. Proxies and CA bundles from the
    environment apply unless the caller clears `trust_env`.
    """
    session = open_session(pool_size)
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers["User-Agent"] = f"hubspot-call-sync/{own_version()}"
    return session


def send(
    session: requests.Session,
    endpoint: str,
    method: str,
    url: str,
    *,
    timeout: tuple[float, float],
    body: bytes | None = None,
    content_type: str = "application/json",
    bearer: str | None = None,
) -> Answer:
    """Send one request and read its answer, whatever the status; redirects are not followed.

    An answer that trickles is given up after the second timeout, a large one at 16 MiB. Metrics
    and traces know the request by `endpoint`, because URLs hold ids.

    Raises:
        NetworkError: no whole answer came; `sent` and `definite` say how far it got.
        UnavailableError: the answer is too large.
        ConfigurationError: the URL, or a proxy's, is not one.
    """
    status: int | None = None
    started = time.monotonic()
    with span(f"hubspot {endpoint}", SpanKind.CLIENT, {"http.request.method": method}):
        try:
            answer = _exchange(
                session,
                method,
                url,
                timeout=timeout,
                body=body,
                content_type=content_type,
                bearer=bearer,
            )
            status = answer.status
        finally:
            annotate({"http.response.status_code": status})
            HUBSPOT_REQUESTS.labels(endpoint, method, status or "none").inc()
            HUBSPOT_REQUEST_SECONDS.labels(endpoint).observe(time.monotonic() - started)
    return answer


def _exchange(
    session: requests.Session,
    method: str,
    url: str,
    *,
    timeout: tuple[float, float],
    body: bytes | None,
    content_type: str,
    bearer: str | None,
) -> Answer:
    started = time.monotonic()

    def authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
        if bearer is not None:
            request.headers["Authorization"] = f"Bearer {bearer}"
        return request

    try:
        with session.request(
            method,
            url,
            data=body,
            headers={"Content-Type": content_type} if body is not None else None,
            # Given as a function, because a .netrc would replace a plain header.
            auth=authorize,
            timeout=timeout,
            allow_redirects=False,
            stream=True,
        ) as response:
            content = _read(response)
    except (requests.RequestException, urllib3_exceptions.HTTPError) as error:
        # Not chained: its text may quote what went over the wire.
        raise error_of_failure(error) from None
    return Answer(response.status_code, response.headers, content, time.monotonic() - started)


def error_of_failure(
    error: requests.RequestException | urllib3_exceptions.HTTPError,
) -> HubSpotError:
    """Map any failure of requests or urllib3 to an error of ours.

    Only what proves that no byte of the request left is definite: no address, no connection, no
    tunnel, no trusted certificate. Other TLS failures look the same before and after the request
    was sent, and a kept-alive connection may break under a request that arrived: ambiguous.
    """
    if isinstance(error, (InvalidURL, InvalidSchema, MissingSchema)):
        return ConfigurationError(
            "The URL of HubSpot or of the proxy is malformed.", sent=False, definite=True
        )
    cause = _cause(error)
    match cause:
        case urllib3_exceptions.ConnectTimeoutError() | urllib3_exceptions.NewConnectionError():
            message, sent = "HubSpot could not be reached.", False
        case urllib3_exceptions.ProxyError():
            message, sent = "The proxy to HubSpot could not be used.", False
        case urllib3_exceptions.SSLError(args=(ssl.SSLCertVerificationError(), *_)):
            message, sent = "HubSpot's certificate is not trusted.", False
        case urllib3_exceptions.TimeoutError():
            message, sent = TOO_SLOW, True
        case _:
            message, sent = "The connection to HubSpot broke.", True
    return NetworkError(message, category=type(cause).__name__, sent=sent, definite=not sent)


def _cause(error: Exception) -> Exception:
    """What urllib3 said: requests keeps it as the first argument, urllib3 inside MaxRetryError."""
    cause = error.args[0] if isinstance(error, requests.RequestException) and error.args else error
    if isinstance(cause, urllib3_exceptions.MaxRetryError):
        cause = cause.reason
    return cause if isinstance(cause, Exception) else error


def _read(response: requests.Response) -> bytes:
    """Read the body as it arrives, and no more of it than it may have."""
    content = bytearray()
    while chunk := response.raw.read1(CHUNK_BYTES, decode_content=True):
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            raise UnavailableError("HubSpot's answer is too large.", status=response.status_code)
    return bytes(content)
