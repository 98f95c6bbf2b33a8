"""Whether one tenant, secret or address has used its quota up: asked before anything is done."""

import time
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from ipaddress import ip_network
from threading import Lock
from typing import Final

import structlog

from api.addresses import client_address
from api.auth import Tenant
from api.errors import OverQuotaError, TooOftenError
from api.quotas import CHANGING, CHANGING_BY_DAY, LOGGING, NAMING, RETURNING, Ongoing, Quota
from api.services import services
from api.signatures import Signers
from shared.calls import NewCall

log = structlog.get_logger(__name__)

# A call of an hour takes about four. Counted so, a quota of calls bounds bytes as well.
BYTES_A_CALL: Final = 16 * 1024
NETWORK_BITS: Final = 64
TURN_S: Final = 10.0
# So long work has an eighth of a core. Where all is slow, half a second for each part is enough.
REST: Final = 7
LONGEST_REST_S: Final = 0.5


def ration(quota: Quota, tenant: Tenant) -> None:
    """Use a tenant's quota; raises TooOftenError when there is none left."""
    wait = services().buckets.take(quota, tenant)
    if wait:
        _log_refusal(quota, user_id=tenant.user_id, workspace_id=tenant.workspace_id)
        raise TooOftenError(
            f"This is possible {quota} for one user of a workspace.",
            retry_after_s=wait,
        )


class Turn:
    """Something that is done, of which its tenant may do one at a time."""

    def __init__(self, ongoing: Ongoing, key: Hashable) -> None:
        self._ongoing = ongoing
        self._key = key
        self._is_held = True
        self._changes = Lock()

    def give_back(self) -> None:
        """Let the tenant do it again; whoever comes second does nothing."""
        with self._changes:
            was_held, self._is_held = self._is_held, False
        if was_held:
            self._ongoing.end(self._key)


def take_turn(what: str, tenant: Tenant) -> Turn:
    """Begin what a tenant may do one at a time; raises TooOftenError while one is going on.

    Args:
        what: In one word, which the error shows.
        tenant: Whose it is.
    """
    ongoing, key = services().ongoing, (what, tenant)
    if not ongoing.begin(key):
        raise TooOftenError(
            f"Another {what} of yours is going on. Wait until it has ended.",
            retry_after_s=TURN_S,
        )
    return Turn(ongoing, key)


def take_break(took: float) -> None:
    """Leave processor and database to others, after a part of long work that took so many seconds.

    Without breaks one tenant's long work is what all the others wait for.
    """
    time.sleep(min(REST * took, LONGEST_REST_S))


def ration_view(tenant: Tenant, *, only_shows: bool) -> None:
    """Use the quota that every view of the dashboard has; raises TooOftenError."""
    if only_shows:
        ration(services().quotas.looking, tenant)
    else:
        ration(CHANGING, tenant)
        ration(CHANGING_BY_DAY, tenant)


def may_return() -> bool:
    """Use the quota of the address that asks; false when there is none left.

    For routes that cost something and are asked without a token. A dashboard's request that brings
    none, or a bad one, is refused before anything is asked for it, and costs no more than this.
    """
    # Apart from the tenants' buckets, or strangers with many addresses would push those out.
    return not services().address_buckets.take(RETURNING, _network(client_address()))


def may_be_named() -> bool:
    """Use the lines of the log that the address that asks has; false when there are none left."""
    return not services().address_buckets.take(NAMING, _network(client_address()))


def admit_signer(signers: Signers, size: int) -> None:
    """Use the quota of whoever signed a webhook, before it is parsed; raises OverQuotaError.

    A secret of the platform speaks for everybody: see `admit_calls`.
    """
    if signers.bound_to is not None:
        _admit({signers.bound_to: _weigh(1, size)})


def admit_calls(signers: Signers, calls: Iterable[NewCall], size: int) -> None:
    """Use the quotas of the tenants whose calls a webhook brings; raises OverQuotaError.

    If one of them has used its own up, none is used and nothing is to be stored: who sends it again
    sends all of it.

    Args:
        signers: Who signed. What `admit_signer` counted is not counted again.
        calls: One, or those of an array.
        size: Of the body, in bytes; each call has its share.
    """
    listed = list(calls)
    if signers.bound_to is not None:
        counted = _weigh(1, size)
        if len(listed) > counted:
            services().buckets.owe(
                services().quotas.calling, signers.bound_to, len(listed) - counted
            )
        return
    if listed:
        weight = _weigh(len(listed), size) / len(listed)
        counts = Counter((each.workspace_id, each.user_id) for each in listed)
        _admit({tenant: count * weight for tenant, count in counts.items()})


def _weigh(calls: int, size: int) -> float:
    """How many calls some calls of so many bytes together count as."""
    return max(float(calls), size / BYTES_A_CALL)


def _admit(costs: Mapping[tuple[str, str | None], float]) -> None:
    quota, buckets = services().quotas.calling, services().buckets
    wait = buckets.take_all(quota, costs)
    if wait:
        for workspace_id, user_id in costs:
            if buckets.take_all(quota, {(workspace_id, user_id): 0}):
                _log_refusal(quota, user_id=user_id, workspace_id=workspace_id)
        raise OverQuotaError(
            "More calls come in for this tenant than WEBHOOK_CALLS_PER_MINUTE allows. Nothing of"
            " this webhook is stored: send it again later.",
            retry_after_s=wait,
        )


def _log_refusal(quota: Quota, **whose: str | None) -> None:
    """Say who met a quota: once a minute, because whoever does so does it many times."""
    if not services().buckets.take(LOGGING, (quota.name, *whose.values())):
        log.warning("quota_used_up", quota=quota.name, **whose)


def _network(address: str | None) -> str | None:
    """What one sender has: an address, or the 64 bits that an IPv6 network is told by."""
    if address is None or ":" not in address:
        return address
    return str(ip_network((address, NETWORK_BITS), strict=False))
