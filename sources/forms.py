"""Forms (`application/x-www-form-urlencoded`), parsed within bounds, byte for byte."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote_to_bytes

from sources.adapter import Json

FORM: Final = "application/x-www-form-urlencoded"
# A vendor's largest forms have some 60 fields; a caller's SIP headers may add to them.
MOST_FIELDS: Final = 500
MOST_BYTES: Final = 256 * 1024

Fields = dict[str, Json]


def parse_form(form: bytes) -> list[tuple[bytes, bytes]] | None:
    """Names and values in order, blank ones too; None for a form larger than any vendor sends."""
    if len(form) > MOST_BYTES or form.count(b"&") >= MOST_FIELDS:
        return None
    fields = (each.partition(b"=") for each in form.split(b"&") if each)
    return [(_unquote(name), _unquote(value)) for name, _, value in fields]


def _unquote(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))


def name_values(pairs: Iterable[tuple[bytes, bytes]]) -> Fields:
    """Values by name. A name with two values has none: nobody can say which one is meant."""
    values: dict[bytes, set[bytes]] = {}
    for name, value in pairs:
        values.setdefault(name, set()).add(value)
    return {
        name.decode("utf-8", "replace"): each.pop().decode("utf-8", "replace")
        for name, each in values.items()
        if len(each) == 1
    }


def find_query(url: str) -> bytes:
    """The query of an address as it stands there, without `?`."""
    return url.partition("?")[2].partition("#")[0].encode("utf-8", "replace")
