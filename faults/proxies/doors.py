"""The proxies through which one kind of process reaches Postgres, Redis and HubSpot."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from faults.proxies.postgres_wire import Conversations
from faults.proxies.proxy import Proxy
from local.services import port_of


@dataclass(frozen=True)
class Doors:
    """A proxy before each of the three; `conversations` are those through Postgres's."""

    postgres: Proxy
    redis: Proxy
    hubspot: Proxy
    conversations: Conversations

    def heal(self) -> None:
        """Let everything pass again."""
        for proxy in (self.postgres, self.redis, self.hubspot):
            proxy.heal()

    def bury(self) -> None:
        """End the connections that were half-open."""
        for proxy in (self.postgres, self.redis, self.hubspot):
            proxy.bury()

    def addresses(self, *, database_url: str, redis_url: str) -> dict[str, str]:
        """The variables that lead a process through these doors."""
        # Without TLS, so that the proxies can read along.
        plain = "?sslmode=disable&gssencmode=disable"
        return {
            "DATABASE_URL": _moved(database_url, self.postgres.port) + plain,
            "REDIS_URL": _moved(redis_url, self.redis.port),
            "HUBSPOT_API_URL": f"http://127.0.0.1:{self.hubspot.port}",
        }


@contextmanager
def open_doors(*, database_url: str, redis_url: str, sandbox_url: str) -> Iterator[Doors]:
    """Doors before these three."""
    conversations = Conversations()
    with (
        Proxy(int(port_of(database_url)), conversations) as postgres,
        Proxy(int(port_of(redis_url))) as redis,
        Proxy(int(port_of(sandbox_url))) as hubspot,
    ):
        yield Doors(postgres, redis, hubspot, conversations)


def _moved(url: str, port: int) -> str:
    parts = urlsplit(url)
    netloc = f"{parts.netloc.rpartition(':')[0]}:{port}"
    return urlunsplit(parts._replace(netloc=netloc))
