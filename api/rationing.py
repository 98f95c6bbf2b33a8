"""How often one tenant may have something done."""

from dataclasses import asdict

from api.errors import TooOftenError
from api.services import services
from api.tenants import current_tenant
from shared.quotas import MOST_A_MINUTE, Action, use_quota


def ration(action: Action) -> None:
    """Use the tenant's quota of an action; raises TooOftenError when there is none left."""
    with services().database.begin() as session:
        seconds = use_quota(session, action, **asdict(current_tenant()))
    if seconds is not None:
        raise TooOftenError(
            f"This is possible {MOST_A_MINUTE} times a minute. Try again in a moment.",
            retry_after_s=seconds,
        )
