"""How a connection reads and matches numbers: its own settings, else the environment's."""

from api.services import services
from shared.models import Connection
from shared.settings import MatchPolicy


def region_of(connection: Connection | None) -> str:
    """The region of numbers without a country code."""
    own = connection.default_region if connection is not None else None
    return own or services().settings.default_region


def policy_of(connection: Connection | None) -> MatchPolicy:
    """What happens when several contacts have a number."""
    own = connection.match_policy if connection is not None else None
    return own or services().settings.match_policy
