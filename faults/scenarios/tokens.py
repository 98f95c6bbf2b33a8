"""Access tokens that run out under load, and refreshes that go wrong in every way."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from faults.judging.history import SentCall
from faults.scenario import Scenario, scenario
from faults.tenants import Tenant
from faults.world import World
from local.databases import PROJECT

PROCESSES: Final = 4
THREADS: Final = 16
REFRESH: Final = "oauth.token"
EXPIRE: Final = (
    "UPDATE hubspot_oauth_tokens SET expires_at = now() - interval '1 second'"
    " WHERE user_id = ANY(%(users)s)"
)
FIND_CONNECTION: Final = "SELECT id, state FROM hubspot_oauth_tokens WHERE user_id = ANY(%(users)s)"


def expired_tenant(world: World) -> Tenant:
    """A tenant whose access token has run out, at HubSpot and here."""
    tenant = world.tenant()
    world.sandbox.expire_tokens(tenant.hub_id)
    world.execute(EXPIRE)
    return tenant


def refreshes(world: World, tenant: Tenant) -> int:
    """How often HubSpot was asked for a new token of the account."""
    asked = world.sandbox.requests(hub_id=tenant.hub_id)
    return sum(each.endpoint == REFRESH for each in asked)


@scenario()
def needed_by_64_threads_in_4_processes(world: World) -> None:
    """Sixty-four threads in four processes need one expired token at once.

    HubSpot sees one refresh.
    """
    tenant = expired_tenant(world)
    connection_id = world.execute(FIND_CONNECTION)[0]["id"]
    command = [sys.executable, "-m", "faults.racers", connection_id, str(THREADS)]

    def race(_: int) -> list[str]:
        return subprocess.run(
            command, env=world.cluster.env, cwd=PROJECT, check=True, capture_output=True, text=True
        ).stdout.split()

    with ThreadPoolExecutor(PROCESSES) as pool:
        tokens = [token for each in pool.map(race, range(PROCESSES)) for token in each]
    if len(tokens) != PROCESSES * THREADS or len(set(tokens)) != 1:
        world.complain(f"{len(tokens)} threads had {len(set(tokens))} different tokens")
    if (asked := refreshes(world, tenant)) != 1:
        world.complain(f"HubSpot was asked {asked} times for a new token")


@scenario()
def refresh_is_slow(world: World) -> None:
    """A refresh takes three seconds while calls of the connection come in.

    The calls wait for it; HubSpot sees one refresh.
    """
    tenant = expired_tenant(world)
    world.sandbox.add_fault(REFRESH, "slow", times=1, hub_id=tenant.hub_id, seconds=3)
    world.post(tenant.calls(world.draws.randint(2, 12)))
    world.settle()
    if (asked := refreshes(world, tenant)) != 1:
        world.complain(f"HubSpot was asked {asked} times for a new token")


@scenario()
def refresh_is_not_answered(world: World) -> None:
    """HubSpot refreshes a token and its answer is lost; the refresh token stays the same.

    The calls are a second or two late.
    """
    tenant = expired_tenant(world)
    kind = world.draws.choice(["reset_after", "garbage", "html"])
    world.sandbox.add_fault(REFRESH, kind, times=1, hub_id=tenant.hub_id)
    world.post(tenant.calls(world.draws.randint(1, 8)))
    world.settle()


@scenario()
def refresh_is_not_answered_after_a_rotation(world: World) -> None:
    """HubSpot replaces the refresh token as well, and the answer that holds it is lost.

    Nobody can have the new token: the calls end as `reconnect_required`, the dashboard asks for a
    reconnect, and that syncs them. (HubSpot hands out the same refresh token in practice.)
    """
    world.sandbox.set_behaviour(rotates_refresh_tokens=True)
    try:
        tenant = expired_tenant(world)
        world.sandbox.add_fault(REFRESH, "reset_after", times=1, hub_id=tenant.hub_id)
        _sync_after_reconnect(world, tenant, tenant.calls(world.draws.randint(1, 8)))
    finally:
        world.sandbox.set_behaviour(rotates_refresh_tokens=False)


@scenario()
def grant_is_revoked(world: World) -> None:
    """A person removes the app in HubSpot while calls come in.

    The calls end as `reconnect_required`, the dashboard asks for a reconnect, and that syncs them.
    """
    tenant = world.tenant()
    calls = tenant.calls(world.draws.randint(1, 8))
    world.sandbox.revoke_grants(tenant.hub_id)
    _sync_after_reconnect(world, tenant, calls)


def _sync_after_reconnect(world: World, tenant: Tenant, calls: list[SentCall]) -> None:
    world.post(calls)
    world.settle()
    endings = {(row["status"], row["error_code"]) for row in world.rows()}
    if endings != {("error", "reconnect_required")}:
        world.complain(f"without a grant the calls ended as {endings}")
    tenant.connect()
    world.settle()


@scenario()
def refresh_is_limited(world: World) -> None:
    """The token endpoint answers 429.

    The calls are pending until it answers again.
    """
    tenant = expired_tenant(world)
    world.sandbox.add_fault(REFRESH, "rate_limited", times=2, hub_id=tenant.hub_id, retry_after=1)
    world.post(tenant.calls(world.draws.randint(1, 8)))
    world.settle()


@scenario()
def client_secret_is_wrong(world: World) -> None:
    """The workers are started with a wrong client secret, and later with the right one.

    The calls stay pending as `configuration_error`; every connection stays connected.
    """
    tenant = expired_tenant(world)
    for name in world.cluster.crew.names:
        world.cluster.crew.kill(name)
    misled = world.cluster.crew.start({"HUBSPOT_CLIENT_SECRET": "not-the-secret"})
    world.post(tenant.calls(world.draws.randint(1, 6)))
    world.wait_for(lambda: all(row["error_code"] == "configuration_error" for row in world.rows()))
    if world.execute(FIND_CONNECTION)[0]["state"] != "connected":
        world.complain("a connection was lost to our own mistake")
    if any(row["status"] != "pending" for row in world.rows()):
        world.complain("a call was given up for our own mistake")
    world.cluster.crew.kill(misled)
    world.mend()
    world.settle()


SCENARIOS: Final[tuple[Scenario, ...]] = (
    needed_by_64_threads_in_4_processes,
    refresh_is_slow,
    refresh_is_not_answered,
    refresh_is_not_answered_after_a_rotation,
    grant_is_revoked,
    refresh_is_limited,
    client_secret_is_wrong,
)
