"""What must not be left lying about, and finding it in whatever was."""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from redis import Redis
from sqlalchemy import text

from shared.database.engines import Database
from shared.models import Base

BETWEEN_DIGITS: Final = re.compile(r"(?<=\d)[\s().-]+(?=\d)")


class Traces:
    """Secrets and people's data by what they are, so that a finding shows no secret itself."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def add(self, what: str, value: str) -> None:
        assert value, f"there is no {what}"
        self._known[value] = what

    def add_all(self, what: str, values: Iterable[str]) -> None:
        for value in values:
            self.add(what, value)

    def find(self, shown: str) -> set[str]:
        """What of it a text gives away, in any case, quoted for a URL or not."""
        folded = shown.casefold()
        joined = BETWEEN_DIGITS.sub("", folded)
        return {
            what
            for value, what in self._known.items()
            if value.casefold() in folded
            or value.casefold() in joined
            or quote(value, safe="").casefold() in folded
        }

    def kinds(self) -> set[str]:
        return set(self._known.values())


def dump_database(database: Database) -> str:
    """Every row of every table as text, as in a backup."""
    with database.begin() as session:
        return "\n".join(
            str(session.execute(text(f"SELECT t::text FROM {table} t")).scalars().all())  # noqa: S608 - our own tables
            for table in Base.metadata.tables
        )


def dump_redis(redis: Redis) -> str:
    """Every key with all that it holds, the broker's messages included."""
    shown = []
    for key in redis.scan_iter():
        match redis.type(key):
            case b"none":
                continue  # expired meanwhile
            case b"string":
                value: object = redis.get(key)
            case b"list":
                value = redis.lrange(key, 0, -1)
            case b"hash":
                value = redis.hgetall(key)
            case b"set":
                value = redis.smembers(key)
            case b"zset":
                value = redis.zrange(key, 0, -1)
            case kind:
                raise AssertionError(f"nobody looks into a {kind!r}")
        shown.append(f"{key!r} {value!r}")
    return "\n".join(shown)
