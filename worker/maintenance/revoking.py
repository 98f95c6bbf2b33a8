"""After a disconnect: uninstall the app, revoke the grant, erase the tokens."""

import time
from typing import Final

import structlog

from shared.connections.lifecycle import lock_hub
from shared.connections.revocations import (
    RevocationDue,
    forget_revocation,
    is_hub_in_use,
    take_revocation,
)
from shared.crypto import UndecryptableError
from shared.database.engines import allow_idling
from shared.hubspot.client import HubSpotClient
from shared.hubspot.errors import (
    ConfigurationError,
    GrantRevokedError,
    HubSpotError,
    RetryLaterError,
)
from shared.hubspot.payload import identifier
from worker.resources import Resources

log = structlog.get_logger(__name__)

GIVE_UP_AFTER_S: Final = 24 * 3600
MOST_AT_ONCE: Final = 20
# Whoever connects the account meanwhile waits for this.
TIMEOUT: Final = (2.0, 4.0)
# All three requests together, each taking as long as it may.
LONGEST_S: Final = 60.0


def revoke_due_grants(resources: Resources, deadline: float) -> int:
    """Work off the revocation list, beginning none after the deadline (`time.monotonic`).

    Returns how many grants HubSpot was told of.
    """
    told = 0
    for _ in range(MOST_AT_ONCE):
        if time.monotonic() > deadline:
            break
        with resources.database.begin() as session:
            due = take_revocation(session)
        if due is None:
            break
        told += _settle(resources, due)
    return told


def _settle(resources: Resources, due: RevocationDue) -> bool:
    try:
        hub_id = due.hub_id or _find_hub(resources, due)
        is_told = hub_id is not None and _tell_unless_used(resources, due, hub_id)
    except (HubSpotError, UndecryptableError) as error:
        if due.age < GIVE_UP_AFTER_S:
            log.warning("revocation_failed", hub_id=due.hub_id, error=type(error).__name__)
            return False
        log.error("revocation_given_up", hub_id=due.hub_id, error=type(error).__name__)  # noqa: TRY400 - a line for operators
        is_told = False
    with resources.database.begin() as session:
        forget_revocation(session, due.id)
    return is_told


def _find_hub(resources: Resources, due: RevocationDue) -> int | None:
    """Whose grant it is, as HubSpot says; None when HubSpot does not know the grant any more."""
    facts = resources.oauth.introspect(_open(resources, due), kind="refresh_token")
    hub_id = identifier((facts or {}).get("hub_id"))
    return int(hub_id) if hub_id and hub_id.isdecimal() else None


def _tell_unless_used(resources: Resources, due: RevocationDue, hub_id: int) -> bool:
    # The account stays locked while HubSpot is told: whoever connects it meanwhile waits for the
    # few seconds this takes, instead of being uninstalled right after.
    with resources.database.begin() as session:
        allow_idling(session, seconds=LONGEST_S)
        lock_hub(session, hub_id)
        if is_hub_in_use(session, hub_id):
            log.info("revocation_dropped", hub_id=hub_id)
            return False
        _tell_hubspot(resources, due)
    log.info("grant_revoked", hub_id=hub_id)
    return True


def _open(resources: Resources, due: RevocationDue) -> str:
    return resources.cipher.decrypt(due.refresh_token, row_id=due.bound_to, field="refresh_token")


def _tell_hubspot(resources: Resources, due: RevocationDue) -> None:
    """Uninstall, then revoke; a grant that is gone already counts as told."""
    refresh_token = _open(resources, due)
    try:
        # A token of its own: the stored one may have expired, or been refused, long ago.
        grant = resources.oauth.refresh(refresh_token)
        HubSpotClient(
            grant.access_token,
            api_url=resources.settings.hubspot_api_url,
            session=resources.http,
            timeout=TIMEOUT,
        ).uninstall()
    except GrantRevokedError:
        return
    except (RetryLaterError, ConfigurationError):
        raise
    except HubSpotError as error:
        # Not installed any more, or not ours to uninstall; the grant itself can still be revoked.
        log.info("uninstall_refused", hub_id=due.hub_id, status=error.status)
        resources.oauth.revoke(refresh_token)
        return
    resources.oauth.revoke(grant.refresh_token or refresh_token)
