"""How a connection reads and matches numbers: its own settings, else the environment's."""

from shared.configuration.settings import MatchPolicy, ServiceSettings
from shared.connections.accounts import AccountState
from shared.matching.scope import SearchScope
from shared.models import Connection


def region_of(connection: Connection | None, settings: ServiceSettings) -> str:
    """The region of numbers without a country code."""
    own = connection.default_region if connection is not None else None
    return own or settings.default_region


def policy_of(connection: Connection | None, settings: ServiceSettings) -> MatchPolicy:
    """What happens when several contacts have a number."""
    own = connection.match_policy if connection is not None else None
    return own or settings.match_policy


def phone_properties_of(connection: Connection | None) -> tuple[str, ...]:
    """Further contact properties that hold numbers, by HubSpot's names."""
    return tuple(connection.phone_properties or ()) if connection is not None else ()


def scope_of(
    connection: Connection, account: AccountState, settings: ServiceSettings
) -> SearchScope:
    """How the connection's callers are searched in its account now."""
    return SearchScope(
        region=region_of(connection, settings),
        policy=policy_of(connection, settings),
        phone_properties=tuple(
            name
            for name in phone_properties_of(connection)
            if name not in account.refused_properties
        ),
        is_raw=account.is_raw_search,
    )
