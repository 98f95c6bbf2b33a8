"""The kinds of values a setting can have: each function turns a text into a checked value.

Every function raises `InvalidValueError`, whose text completes the sentence "NAME …". Texts of
secrets are never part of it, which is why errors of the standard library (they quote what they
choke on) are replaced, not passed on.
"""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import cast
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr
from sqlalchemy import URL

from shared.phone import validate_region

ENCRYPTION_KEY_BYTES = 32  # AES-256
WEBHOOK_SECRET_BYTES = 24  # the least that Standard Webhooks allows
JWT_SECRET_BYTES = 32  # HS256 wants a key no shorter than its hash (RFC 7518 §3.2)
BASIC_AUTH_PASSWORD_LENGTH = 12
MAX_ID_CHARACTERS = 255
CERTIFICATE_CHECKS = ("required", "optional", "none")
DEFAULT_PREFIX = "callsync"
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
DEFAULT_PORTS = {"http": 80, "https": 443}


class InvalidValueError(ValueError):
    """A setting's value cannot be used; the text says why without quoting a secret."""


UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True)
class WebhookSecret:
    """A key that signs webhooks.

    Attributes:
        secret: As `whsec_…`.
        workspace_id: The only workspace that it may name; None for the platform's, which may name
            any.
        user_id: The only user whom it may name; None for all of the workspace's.
    """

    secret: SecretStr
    workspace_id: str | None
    user_id: str | None = None

    def may_name(self, user_id: str, workspace_id: str) -> bool:
        """Whether it may sign calls of a user and workspace."""
        return self.workspace_id in {None, workspace_id} and self.user_id in {None, user_id}


def secret(text: str) -> SecretStr:
    return SecretStr(text)


def plain(text: str) -> str:
    return text


def one_of(*choices: str) -> Callable[[str], str]:
    """Accept exactly these words, in any case."""

    def parse(text: str) -> str:
        if text.lower() not in choices:
            raise InvalidValueError(f"is {text!r}, not one of {', '.join(choices)}")
        return text.lower()

    return parse


def whole_number(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text[:20]) <= most):
            raise InvalidValueError(f"is {text!r}, not a whole number from {least} to {most}")
        return int(text)

    return parse


def switch(text: str) -> bool:
    """Accept `on` and `off`."""
    return one_of("on", "off")(text) == "on"


def claim(text: str) -> str | None:
    """Accept what a claim must be; `any` stands for whatever it is."""
    return None if text.lower() == "any" else text


def duration(least: timedelta, most: timedelta) -> Callable[[str], timedelta]:
    """Accept a whole number with its unit: `90s`, `30m`, `24h` or `7d`."""

    def parse(text: str) -> timedelta:
        number, unit = text[:-1], text[-1:].lower()
        if not (number.isascii() and number.isdigit() and unit in UNITS):
            raise InvalidValueError(f"is {text!r}, not a number with its unit like 24h, 90m or 7d")
        found = timedelta(**{UNITS[unit]: int(number[:9])})
        if not least <= found <= most:
            raise InvalidValueError(
                f"is {text!r}, not from {show_duration(least)} to {show_duration(most)}"
            )
        return found

    return parse


def show_duration(length: timedelta) -> str:
    """A duration as a setting writes it, in the largest unit that divides it."""
    seconds = round(length.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def region(text: str) -> str:
    """Accept a region that `phonenumbers` knows, as its ISO 3166 code: `US`, `GB`, `DE` …."""
    try:
        return validate_region(text)
    except ValueError as error:
        raise InvalidValueError(f"is {text!r}, not a region with phone numbers") from error


def scopes(text: str) -> tuple[str, ...]:
    found = tuple(text.split())
    if "oauth" not in found:
        raise InvalidValueError("lacks the scope oauth, which every HubSpot app needs")
    return found


def database_url(text: str) -> SecretStr:
    sqlalchemy_url(text)
    return SecretStr(text)


def sqlalchemy_url(text: str) -> URL:
    """Turn a libpq URL (`postgres://` or `postgresql://`, sockets too) into SQLAlchemy's.

    libpq itself takes the URL apart, so that whatever works with psql works here.
    """
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in {"postgres", "postgresql", "postgresql+psycopg"}:
        raise InvalidValueError("is not a URL of a Postgres database")
    try:
        parts = cast("dict[str, str]", conninfo_to_dict(f"postgresql://{rest}"))
    except psycopg.ProgrammingError:
        raise InvalidValueError("is not a URL that Postgres understands") from None
    host, port = parts.pop("host", None), parts.pop("port", None)
    if host and ("/" in host or "," in host):  # a socket's folder, or several servers
        parts |= {"host": host} | ({"port": port} if port else {})
        host = port = None
    if port and not port.isdigit():
        raise InvalidValueError("has a port that is not a number")
    return URL.create(
        "postgresql+psycopg",
        username=parts.pop("user", None),
        password=parts.pop("password", None),
        host=host,
        port=int(port) if port else None,
        database=parts.pop("dbname", None),
        query=parts,
    )


def redis_url(text: str) -> SecretStr:
    parts = _split_url(text)
    if parts.scheme not in {"redis", "rediss", "unix"}:
        raise InvalidValueError("does not start with redis://, rediss:// or unix://")
    if not (parts.path if parts.scheme == "unix" else parts.hostname):
        raise InvalidValueError("names no server")
    if dict(parse_qsl(parts.query)).get("protocol", "3") != "3":
        raise InvalidValueError("asks for another protocol than RESP3: leave out protocol=")
    return SecretStr(explicit_tls(text))


def broker_url(text: str) -> SecretStr:
    """Accept a URL of Redis or of RabbitMQ."""
    parts = _split_url(text)
    if parts.scheme not in {"amqp", "amqps"}:
        return redis_url(text)
    if not parts.hostname:
        raise InvalidValueError("names no server")
    return SecretStr(explicit_tls(text))


def explicit_tls(text: str) -> str:
    """Write out in a URL whether the server's certificate is checked, in words all clients know.

    It is, unless the URL says otherwise: redis-py does so by default, Celery would not.
    """
    parts = urlsplit(text)
    if parts.scheme not in {"rediss", "amqps"}:
        return text
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    wanted = query.get("ssl_cert_reqs", "required").lower().removeprefix("cert_")
    if wanted not in CERTIFICATE_CHECKS:
        raise InvalidValueError("has an ssl_cert_reqs other than required, optional and none")
    query["ssl_cert_reqs"] = wanted
    if (checks_name := query.get("ssl_check_hostname")) is not None:
        is_off = checks_name.lower() in {"false", "f", "no", "n", "0"}
        query["ssl_check_hostname"] = "false" if is_off else "true"
    return parts._replace(query=urlencode(query)).geturl()


def web_url(text: str) -> str:
    """Accept an https URL (http on this machine only)."""
    parts = _split_url(text)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise InvalidValueError(f"is {text!r}, not a URL that starts with https://")
    if parts.username is not None or parts.password is not None:
        raise InvalidValueError("contains a user name or password")
    if parts.scheme == "http" and parts.hostname not in LOCAL_HOSTS:
        raise InvalidValueError("is http, which is allowed on localhost only")
    return text


def base_url(text: str) -> str:
    """Accept a web URL that paths are appended to; a trailing slash is dropped."""
    parts = urlsplit(web_url(text))
    if parts.query or parts.fragment:
        raise InvalidValueError("has a query or a fragment, but paths are appended to it")
    return text.rstrip("/")


def api_url(text: str) -> str:
    """Accept HubSpot's base URL, or `sandbox+http://host:port`: a sandbox without encryption.

    Client secret and tokens go there in the clear. Hence it has to be said, and the host must have
    a name without a dot, as the services of one container network have and no public one has.
    """
    if not text.startswith("sandbox+http://"):
        return base_url(text)
    parts = urlsplit(base_url(text.replace("sandbox+http://", "https://", 1)))
    if not set(".:").isdisjoint(parts.hostname or ""):
        raise InvalidValueError("is a sandbox by http, which must be a neighbour without a dot")
    return f"http://{parts.netloc}{parts.path}"


def origin(url: str) -> str:
    """Return scheme, host and port of a web URL as browsers write them in `Origin`."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    shown_host = f"[{host}]" if ":" in host else host
    if parts.port in {None, DEFAULT_PORTS[parts.scheme]}:
        return f"{parts.scheme}://{shown_host}"
    return f"{parts.scheme}://{shown_host}:{parts.port}"


def origins(text: str) -> tuple[str, ...]:
    entries = _entries(text)
    for number, entry in enumerate(entries, 1):
        if "*" in entry:
            raise InvalidValueError(f"has a wildcard in entry {number}: origins are exact")
        parts = urlsplit(web_url(entry))
        if parts.path.strip("/") or parts.query or parts.fragment:
            raise InvalidValueError(f"has more than scheme, host and port in entry {number}")
    return tuple(dict.fromkeys(origin(entry) for entry in entries))


def webhook_secrets(text: str) -> tuple[WebhookSecret, ...]:
    """Take apart a comma list of `[[user_id/]workspace_id=]whsec_<base64>`.

    In an id `%2F` stands for a slash, `%2C` for a comma, `%25` for `%`: as in URLs.
    """
    found = []
    for number, entry in enumerate(_entries(text), 1):
        # base64 pads with "=" too, so the owner is what stands before the prefix
        owner, prefix, encoded = entry.rpartition("whsec_")
        if not prefix or (owner and not owner.endswith("=")):
            raise InvalidValueError(
                f"entry {number} is not whsec_…, workspace_id=whsec_… or"
                " user_id/workspace_id=whsec_…"
            )
        size = len(_decode_base64(encoded, f"entry {number}"))
        if size < WEBHOOK_SECRET_BYTES:
            raise InvalidValueError(
                f"entry {number} is {size} bytes, needs {WEBHOOK_SECRET_BYTES} or more"
            )
        user_id, workspace_id = (
            _read_owner(owner.removesuffix("="), number) if owner else (None, None)
        )
        found.append(WebhookSecret(SecretStr(f"whsec_{encoded}"), workspace_id, user_id))
    return tuple(found)


def _read_owner(owner: str, number: int) -> tuple[str | None, str]:
    """The user, if one is named, and the workspace of an entry."""
    names = [_read_id(name, number) for name in owner.split("/")]
    match names:
        case [workspace_id]:
            return None, workspace_id
        case [user_id, workspace_id]:
            return user_id, workspace_id
    raise InvalidValueError(f"entry {number} has several /; within an id a / is written %2F")


def _read_id(text: str, number: int) -> str:
    """An id with its escapes undone, as a webhook can name it."""
    text = text.strip()
    if _PERCENT.search(text):
        raise InvalidValueError(f"entry {number} has a % in an id; there it is written %25")
    try:
        found = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise InvalidValueError(f"entry {number} has an id that is not UTF-8") from None
    if not (found.strip() and found.isprintable() and len(found) <= MAX_ID_CHARACTERS):
        raise InvalidValueError(
            f"entry {number} has an id that is not 1 to {MAX_ID_CHARACTERS} printable characters"
        )
    return found


def encryption_keys(text: str) -> tuple[bytes, ...]:
    """Take apart a comma list of base64 of 32 random bytes."""
    keys: list[bytes] = []
    for number, entry in enumerate(_entries(text), 1):
        key = _decode_base64(entry, f"key {number}")
        if len(key) != ENCRYPTION_KEY_BYTES:
            raise InvalidValueError(
                f"key {number} is {len(key)} bytes, needs {ENCRYPTION_KEY_BYTES}"
            )
        if key in keys:
            raise InvalidValueError(f"key {number} repeats key {keys.index(key) + 1}")
        keys.append(key)
    return tuple(keys)


def ports(text: str) -> range:
    """Accept a port, or several in a row: `9464-9479`."""
    first, dash, last = text.partition("-")
    parse = whole_number(1, 65_535)
    found = range(parse(first), parse(last if dash else first) + 1)
    if not found:
        raise InvalidValueError(f"is {text!r}, which ends before it starts")
    return found


def collector_url(text: str) -> str:
    """Accept where spans are sent: mostly a neighbour without encryption."""
    parts = _split_url(text)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise InvalidValueError(f"is {text!r}, not a URL that starts with http:// or https://")
    return text


def redis_prefix(text: str) -> str:
    """Accept what keys, queues and exchanges can begin with, and no pattern of theirs."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", text):
        raise InvalidValueError(
            f"is {text!r}, not 1 to 40 letters, digits, - and _ that begin with no sign"
        )
    return text


def basic_auth(text: str) -> SecretStr:
    user, _, password = text.partition(":")
    if not (user and password):
        raise InvalidValueError("is not user:password")
    return SecretStr(text)


def _entries(text: str) -> list[str]:
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    if not entries:
        raise InvalidValueError("is an empty list")
    return entries


def _decode_base64(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidValueError(f"{what} is not base64") from None


def _split_url(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port  # parsed, and refused, only when asked for
    except ValueError:
        raise InvalidValueError("is not a URL") from None
    if any(character.isspace() for character in text):
        raise InvalidValueError("contains a blank")
    return parts
