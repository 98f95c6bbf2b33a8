"""Telling deployments apart: the names that one has in Redis, and who else is there under them."""

from collections.abc import Iterator
from typing import Any, Final, Self

from redis import Redis
from sqlalchemy import text

from shared.crypto import short_hash
from shared.db import Database

DEFAULT_PREFIX: Final = "callsync"
# Whoever has not been seen for as long is gone.
SEEN_WITHIN_S: Final = 30
