"""Links to recordings: shown to people when they are safe to click, never followed by us."""

from dataclasses import dataclass
from urllib.parse import urlsplit

MAX_URL_CHARACTERS = 4096
UNSAFE_CHARACTERS = frozenset("\"'<>\\^`{|}")


@dataclass(frozen=True, slots=True)
class Recording:
    """A link that may be shown, and the host it leads to."""

    url: str
    host: str


def parse_recording_url(text: str | None) -> Recording | None:
    """Return an https link, None for anything else.

    A link with a user name or password is refused too: `https://hubspot.com@evil.example` reads
    as another host than the one it leads to.
    """
    url = (text or "").strip()
    if len(url) > MAX_URL_CHARACTERS or any(
        character in UNSAFE_CHARACTERS or not character.isprintable() or character.isspace()
        for character in url
    ):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port  # parsed, and refused, only when asked for
    except ValueError:
        return None
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc:
        return None
    return Recording(url, parts.hostname)
