"""Identifiers: a prefix that says what it names, then a UUIDv7, which keeps index writes local."""

import re
import secrets
from typing import Final

from uuid_utils import uuid7

_CONNECTION_ID: Final = re.compile(r"hc_[0-9a-f]{32}", re.ASCII)


def new_log_id() -> str:
    """A sync log id, `hs_` and 32 hex digits; also the note's Ref and HubSpot's trace id."""
    return f"hs_{uuid7().hex}"


def new_connection_id() -> str:
    """A connection id, `hc_` and 32 hex digits."""
    return f"hc_{uuid7().hex}"


def is_connection_id(value: str) -> bool:
    """Whether it has the form of a connection id."""
    return _CONNECTION_ID.fullmatch(value) is not None


def new_source_id() -> str:
    """A call source's id, `src_` and 32 hex digits: an address that nobody guesses."""
    return f"src_{secrets.token_hex(16)}"


def new_secret_id() -> str:
    """The id of a source's secret, `sec_` and 32 hex digits."""
    return f"sec_{uuid7().hex}"


def new_unassigned_id() -> str:
    """The id of a delivery whose tenant is not known yet, `un_` and 32 hex digits."""
    return f"un_{uuid7().hex}"
