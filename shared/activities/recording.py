"""Links to recordings: shown to people when they are safe to click, never followed by us."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

MAX_URL_CHARACTERS: Final = 4096

# A link as producers write it: nothing in it has to be looked at more closely.
_PLAIN: Final = re.compile(
    r"https://([a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+)"
    r"/(?:[\w/.~!$&()*+,;=:@?-]|%[0-9A-Fa-f]{2})*",
    re.ASCII,
)
# Whatever browsers take for an IP address: a last label that is a number, in any notation.
_NUMBER: Final = re.compile(r"(?:.*\.)?(?:\d+|0x[0-9a-f]*)\.?", re.ASCII | re.IGNORECASE)
_HOST: Final = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?", re.ASCII)
# What RFC 3986 gives a meaning of its own; everything else is percent-encoded.
_RESERVED: Final = "/?:@!$&()*+,;=%~"
_LONE_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Recording:
    """A link that may be shown, and the host it leads to; both in ASCII."""

    url: str
    host: str


class UnlinkableError(ValueError):
    """The text is no link that people can be given; the message goes on from a field's name."""


def parse_recording_url(text: str | None) -> Recording | None:
    """Return an https link, None for a blank text.

    What is only unescaped (blanks, quotes, braces, letters beyond ASCII) is percent-encoded. A link
    with a user name or password is refused: `https://hubspot.com@evil.example` reads as another
    host than the one it leads to. So is one to an IP address. Names beyond ASCII are given in their
    ASCII form (`xn--…`), in which they look like no other.

    Raises:
        UnlinkableError: It is something else.
    """
    url = (text or "").strip()
    if not url:
        return None
    if len(url) > MAX_URL_CHARACTERS:
        raise UnlinkableError(f"is longer than {MAX_URL_CHARACTERS:,} characters")
    if (plain := _PLAIN.fullmatch(url)) and not _NUMBER.fullmatch(plain[1]):
        return Recording(url, plain[1])
    if _CONTROLS.search(url):
        raise UnlinkableError("holds line ends or other control characters")
    try:
        parts = urlsplit(url)
        port = parts.port  # parsed, and refused, only when asked for
    except ValueError as error:
        raise UnlinkableError("is no address of a web page") from error
    host = _read_host(parts)
    netloc = host if port is None else f"{host}:{port}"
    path, query, fragment = (_escape(part) for part in (parts.path, parts.query, parts.fragment))
    rest = path + (f"?{query}" if query else "") + (f"#{fragment}" if fragment else "")
    encoded = f"https://{netloc}{rest}"
    if len(encoded) > MAX_URL_CHARACTERS:
        raise UnlinkableError(
            f"is longer than {MAX_URL_CHARACTERS:,} characters once it is escaped"
        )
    return Recording(encoded, host)


def _read_host(parts: SplitResult) -> str:
    """The host in ASCII."""
    if parts.scheme != "https":
        raise UnlinkableError("does not begin with https://")
    if "@" in parts.netloc:
        raise UnlinkableError("holds a user name or password")
    host = parts.hostname or ""
    if not host.isascii():
        try:
            host = host.encode("idna").decode().lower()
        except UnicodeError as error:
            raise UnlinkableError("names a host that cannot exist") from error
    if ":" in host or _NUMBER.fullmatch(host):
        raise UnlinkableError("names its host by an IP address, which says nothing of whose it is")
    if not _HOST.fullmatch(host):
        raise UnlinkableError("names no host, or one that cannot exist")
    return host


def _escape(part: str) -> str:
    return quote(_LONE_PERCENT.sub("%25", part), safe=_RESERVED)
