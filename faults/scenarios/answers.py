"""HubSpot that refuses, breaks off, stalls or answers nonsense while calls come in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from faults.scenario import Scenario
from faults.world import World

EVERYTHING: Final = "*s.*"  # contacts.*, notes.*, associations.*, but not oauth.*
SEARCH: Final = "contacts.search"
CREATES: Final = "notes.batch_create"
LATE: Final = "A call that HubSpot did not answer clearly is pending for about two minutes."
FOUND: Final = "The notes are there; the sync log says so some ten seconds later."
LATER: Final = "The calls are pending until HubSpot answers properly."


@dataclass(frozen=True)
class Misbehaviour:
    """A fault of the sandbox (its `injections` say what each kind does) while calls come in."""

    name: str
    title: str
    seen: str
    endpoint: str
    kind: str
    times: int = 2
    probability: float = 1
    calls: int = 6
    args: Mapping[str, Any] = field(default_factory=dict)

    def play(self, world: World) -> None:
        tenant = world.tenant()
        world.sandbox.add_fault(
            self.endpoint,
            self.kind,
            times=self.times,
            probability=self.probability,
            hub_id=tenant.hub_id,
            seed=world.draws.randrange(1000),
            **self.args,
        )
        # At least two posts, so that a fault meets both a fresh and a running queue.
        calls = tenant.calls(world.draws.randint(max(self.calls - 3, 1), self.calls))
        world.post(calls[:1])
        world.post(calls[1:])
        world.settle()

    def scenario(self) -> Scenario:
        """The scenario of this fault."""
        return Scenario(f"answers.{self.name}", self.play, self.title, self.seen)


def _limit(policy: str, *, retry_after: int | None = None) -> Scenario:
    told = "with" if retry_after else "without"
    endpoint = SEARCH if policy == "SECONDLY" else EVERYTHING
    args: dict[str, Any] = {"policyName": policy}
    if retry_after:
        args["retry_after"] = retry_after
    return Misbehaviour(
        f"limit_{policy.lower()}_{told}_retry_after",
        f"HubSpot answers 429 for its {policy} limit, {told} Retry-After",
        "The calls are pending until the pause is over; the dashboard shows the pause.",
        endpoint,
        "rate_limited",
        args=args,
    ).scenario()


def _break(kind: str, title: str, seen: str, **args: Any) -> list[Scenario]:
    """A fault of creates, on a single note and on a batch."""
    return [
        Misbehaviour(
            f"{kind}_{size}", f"{title}, {words}", seen, CREATES, kind, 1, calls=calls, args=args
        ).scenario()
        for size, words, calls in (("single", "one note", 1), ("batch", "several notes", 8))
    ]


MISBEHAVIOURS: Final = (
    Misbehaviour(
        "errors_half_the_time",
        "Half of HubSpot's answers are 500, whatever is asked",
        LATER,
        EVERYTHING,
        "status",
        times=10,
        probability=0.5,
        calls=12,
    ),
    Misbehaviour(
        "html_for_searches", "HubSpot answers searches with a gateway's page", LATER, SEARCH, "html"
    ),
    Misbehaviour(
        "html_for_creates", "HubSpot answers creates with a gateway's page", LATE, CREATES, "html"
    ),
    Misbehaviour(
        "garbage_for_creates",
        "HubSpot creates the notes and answers broken JSON",
        FOUND,
        CREATES,
        "garbage",
    ),
    Misbehaviour(
        "garbage_for_searches",
        "HubSpot answers searches with broken JSON",
        LATER,
        SEARCH,
        "garbage",
    ),
    Misbehaviour(
        "locked", "HubSpot answers 423: the account is locked", LATER, EVERYTHING, "locked"
    ),
    Misbehaviour(
        "migrating",
        "HubSpot answers 477: the account is moving, come back in a minute",
        LATER,
        EVERYTHING,
        "migrating",
        args={"retry_after": 60},
    ),
    Misbehaviour(
        "slow", "HubSpot takes two seconds for everything", LATER, EVERYTHING, "slow", times=4
    ),
    Misbehaviour(
        "results_missing",
        "HubSpot creates all notes and leaves one out of its answer",
        "That one call is pending until the note is found, some ten seconds later.",
        CREATES,
        "missing_results",
        args={"containing": "call_"},
    ),
    Misbehaviour(
        "trace_ids_missing",
        "HubSpot answers creates without our trace ids",
        "Nothing: the notes are told apart by their last lines.",
        CREATES,
        "drop_trace_ids",
    ),
)


SCENARIOS: Final[tuple[Scenario, ...]] = (
    _limit("SECONDLY"),
    _limit("SECONDLY", retry_after=3),
    _limit("TEN_SECONDLY_ROLLING"),
    _limit("TEN_SECONDLY_ROLLING", retry_after=3),
    _limit("DAILY"),
    _limit("DAILY", retry_after=600),
    *(each.scenario() for each in MISBEHAVIOURS),
    *_break("reset_before", "The connection is reset before HubSpot commits a create", LATE),
    *_break("reset_after", "The connection is reset after HubSpot has committed a create", FOUND),
    *_break("timeout_before", "HubSpot hangs and closes before a create commits", LATE, seconds=1),
    *_break("timeout_after", "HubSpot commits a create, hangs and closes", FOUND, seconds=1),
)
