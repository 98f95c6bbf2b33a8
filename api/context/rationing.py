"""Whether one tenant, secret or address has used its quota up: asked before anything is done."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_network
from typing import Final

import structlog
from flask import g

from api.context.quotas import CHANGING, CHANGING_BY_DAY, LOGGING, NAMING, RETURNING, Quota
from api.context.senders import client_address
from api.context.services import services
from api.http.errors import OverQuotaError, TooOftenError
from api.http.slots import Slot
from api.identity.auth import Tenant
from api.intake.signatures import Signers
from shared.calls.intake import NewCall

log = structlog.get_logger(__name__)

# A workspace and one of its users, or all of them.
Whose = tuple[str | None, str | None]
# Of what the platform signed for nobody in particular, because it is refused.
PLATFORM: Final[Whose] = (None, None)
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
        raise TooOftenError.beyond(quota, retry_after_s=wait)


def take_turn(what: str, tenant: Tenant) -> Slot:
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
    return Slot(lambda: ongoing.end(key))


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


def admit_signer(quota: Quota, signers: Signers, size: int) -> None:
    """Use the quota of whoever signed a webhook, before it is parsed; raises OverQuotaError.

    A secret of the platform speaks for everybody: see `admit_calls`. Only what was refused of the
    arrays that it signed is its own.
    """
    if signers.bound_to is not None:
        _admit(quota, {signers.bound_to: _weigh(1, size)})
    elif quota is services().quotas.importing:
        _admit(quota, {PLATFORM: 0.0})


def admit_calls(
    quota: Quota,
    signers: Signers,
    calls: Sequence[NewCall],
    size: int,
    *,
    refused: int = 0,
    ignored: int = 0,
) -> None:
    """Use the quotas of the tenants whose calls a webhook brings; raises OverQuotaError.

    If all of them have used their own up, none is used and nothing is to be stored. If only some
    have, they owe: of an array that the platform signed, nobody's calls wait for another's.

    Args:
        quota: Of live calls, or of arrays.
        signers: Who signed. What `admit_signer` counted is not counted again.
        calls: One, or those of an array that are to be stored.
        size: Of the body, in bytes; each call has its share.
        refused: Elements of an array that were checked and refused: that costs as much.
        ignored: Elements that are of no interest, which only a tenant's own secret pays for.
    """
    if signers.bound_to is not None:
        more = len(calls) + refused + ignored - _weigh(1, size)
        if more > 0:
            _owe(quota, signers.bound_to, more)
        return
    if calls:
        weight = _weigh(len(calls), size) / len(calls)
        counts = Counter((each.workspace_id, each.user_id) for each in calls)
        _admit(quota, {tenant: count * weight for tenant, count in counts.items()})
    if refused:
        _owe(quota, PLATFORM, refused)


def admit_owner(*, user_id: str | None, workspace_id: str, size: int) -> None:
    """Use the quota of live calls of whom a source's delivery is for; raises OverQuotaError.

    Args:
        user_id: Whose call it is; None for a source of which nobody knows yet whose it is.
        workspace_id: See `user_id`; the source then.
        size: Of the body, in bytes.
    """
    _admit(services().quotas.calling, {(workspace_id, user_id): _weigh(1, size)})


def give_back() -> None:
    """Give back what a webhook used that is to be sent again, because nothing of it is stored."""
    for quota, whose, cost in g.pop("used_quotas", ()):
        services().buckets.owe(quota, whose, -cost)


def _weigh(calls: int, size: int) -> float:
    """How many calls some calls of so many bytes together count as."""
    return max(float(calls), size / BYTES_A_CALL)


def _admit(quota: Quota, costs: Mapping[Whose, float]) -> None:
    buckets = services().buckets
    wait = buckets.take_if_any(quota, costs)
    if not wait:
        _note_used((quota, whose, cost) for whose, cost in costs.items())
        return
    for workspace_id, user_id in costs:
        _log_refusal(quota, user_id=user_id, workspace_id=workspace_id)
    raise OverQuotaError.of(_name(next(iter(costs)), len(costs)), retry_after_s=wait)


def _owe(quota: Quota, whose: Whose, cost: float) -> None:
    services().buckets.owe(quota, whose, cost)
    _note_used([(quota, whose, cost)])


def _note_used(used: Iterable[tuple[Quota, Whose, float]]) -> None:
    g.setdefault("used_quotas", []).extend(used)


def _name(whose: Whose, count: int) -> str:
    workspace_id, user_id = whose
    if workspace_id is None:
        return "that are wrong, in arrays that the platform signs,"
    others = f" and {count - 1} others" if count > 1 else ""
    user = "" if user_id is None else f"user_id {user_id!r} of "
    return f"for {user}workspace_id {workspace_id!r}{others}"


def _log_refusal(quota: Quota, **whose: str | None) -> None:
    """Say who met a quota: once a minute, because whoever does so does it many times."""
    if not services().buckets.take(LOGGING, (quota.name, *whose.values())):
        log.warning("quota_used_up", quota=quota.name, **whose)


def _network(address: str | None) -> str | None:
    """What one sender has: an address, or the 64 bits that name an IPv6 network."""
    if address is None or ":" not in address:
        return address
    return str(ip_network((address, NETWORK_BITS), strict=False))
