"""Networks that are slow: everything comes late, or drop by drop."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from faults.proxies.proxy import Proxy
from faults.scenario import Scenario
from faults.world import World

DELAY_S: Final = 0.2
JITTER_S: Final = 0.1
SLOW_FOR_AT_MOST_S: Final = 20.0
FEW: Final = (4, 10)
MANY: Final = (20, 40)
TEXT_BYTES: Final = 1_000


@dataclass(frozen=True)
class SlowNetwork:
    """A network that is slow between the service and one of those it talks to.

    Attributes:
        to: the door through which it talks.
        words: who that is.
        calls: how many come in, from and to.
        bytes_per_s: how much passes on each connection; None for everything, but late.
        seen: what a person sees.
    """

    to: str
    words: str
    calls: tuple[int, int]
    bytes_per_s: int | None
    seen: str

    def play(self, world: World) -> None:
        tenant = world.tenant()
        calls = [
            tenant.call(
                contact,
                transcript=[{"role": "user", "text": world.draws.randbytes(TEXT_BYTES).hex()}],
            )
            for contact in tenant.add_contacts(world.draws.randint(*self.calls))
        ]
        for doors in (world.cluster.api_doors, world.cluster.worker_doors):
            self._slow_down(getattr(doors, self.to))
        world.post(calls)
        # In real time: rows that are made older beside bytes that are not would be a fault of ours.
        with suppress(TimeoutError):
            world.recover(timeout_s=SLOW_FOR_AT_MOST_S)
        world.mend()
        for doors in (world.cluster.api_doors, world.cluster.worker_doors):
            getattr(doors, self.to).cut()  # what is still under way is lost
        world.settle()

    def _slow_down(self, proxy: Proxy) -> None:
        if self.bytes_per_s is None:
            proxy.delay_s = DELAY_S
            proxy.jitter_s = JITTER_S
        else:
            proxy.bytes_per_s = self.bytes_per_s

    def scenario(self) -> Scenario:
        """The scenario of this network."""
        if self.bytes_per_s is None:
            name, what = "late", f"takes {DELAY_S * 1000:.0f} ms ± {JITTER_S * 1000:.0f} each way"
        else:
            name, what = "throttled", f"carries {self.bytes_per_s / 1000:.0f} kB/s"
        few, many = self.calls
        title = f"The network to {self.words} {what} while {few} to {many} long calls come in"
        return Scenario(f"networks.{self.to}_{name}", self.play, title, self.seen)


NETWORKS: Final = (
    SlowNetwork("postgres", "Postgres", FEW, None, "Webhooks and calls are seconds late."),
    SlowNetwork("postgres", "Postgres", MANY, 20_000, "Calls are seconds late."),
    SlowNetwork("redis", "Redis", FEW, None, "Some calls are pending until the network is faster."),
    SlowNetwork("redis", "Redis", MANY, 2_000, "Calls are seconds late."),
    SlowNetwork("hubspot", "HubSpot", FEW, None, "Calls are a second or two late."),
    SlowNetwork(
        "hubspot",
        "HubSpot",
        MANY,
        3_000,
        "A batch that is too large for the network is pending until that is faster or the notes"
        " are found: creates that are not answered in time are read back.",
    ),
)

SCENARIOS: Final[tuple[Scenario, ...]] = tuple(each.scenario() for each in NETWORKS)
