"""HubSpot that refuses, breaks off, answers nonsense, commits late, or changes under our hands."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from faults.scenario import Scenario, scenario
from faults.scenarios.workers import CREATE
from faults.world import World

EVERYTHING: Final = "*s.*"  # contacts.*, notes.*, associations.*, but not oauth.*
SEARCH: Final = "contacts.search"
CREATES: Final = "notes.batch_create"
LATE: Final = "A call that HubSpot did not answer clearly is pending for about two minutes."
LATER: Final = "The calls are pending until HubSpot answers properly."
BAD_CALL: Final = "call_of_a_bad_note"


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
        world.settle(timeout_s=90)

    def scenario(self) -> Scenario:
        """The scenario of this fault."""
        return Scenario(f"hubspot.{self.name}", self.play, self.title, self.seen)


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
        times=20,
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
        "The notes are there; the sync log says so some ten seconds later.",
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


@scenario()
def committed_late(world: World) -> None:
    """A create is answered with 504 and commits 90 seconds later, when one read-back has missed it.

    The calls are pending for about two minutes, then synced with the note that appeared.
    """
    tenant = world.tenant()
    world.sandbox.add_fault(
        CREATES, "late_commit", times=1, hub_id=tenant.hub_id, commit_after=4, answer="504"
    )
    calls = tenant.calls(world.draws.randint(1, 6))
    world.post(calls)
    world.wait_for(lambda: any(row["last_write_at"] for row in world.rows()))
    world.wait_for(lambda: not any(row["claimed_by"] for row in world.rows()))
    world.skip(11)
    world.wait_for(lambda: any(row["read_back_misses"] for row in world.rows()))
    world.skip(70)
    time.sleep(4)  # the commit itself comes in real time
    world.settle()


@scenario()
def some_notes_refused(world: World) -> None:
    """HubSpot creates a batch but for one note, and says so with 207 or inside a 201.

    The refused call ends as an error with HubSpot's reason; its neighbours are synced.
    """
    tenant = world.tenant()
    kind = world.draws.choice(["partial", "errors_in_2xx"])
    world.sandbox.add_fault(CREATES, kind, hub_id=tenant.hub_id, containing=BAD_CALL)
    contacts = tenant.add_contacts(6)
    bad = tenant.call(contacts[0], call_id=BAD_CALL, endings=[("error", "rejected_by_hubspot")])
    world.post([bad, *map(tenant.call, contacts[1:])])
    world.settle()


@scenario()
def answered_unclearly_again_after_a_rewrite(world: World) -> None:
    """A create is lost, is written again after two misses, and that answer is lost as well.

    The call is pending for some four minutes at most, and has one note.
    """
    tenant = world.tenant()
    world.sandbox.add_fault(CREATES, "reset_before", times=1, hub_id=tenant.hub_id)
    kind = world.draws.choice(["reset_after", "reset_before", "garbage"])
    world.sandbox.add_fault(CREATES, kind, times=1, hub_id=tenant.hub_id)
    world.post(tenant.calls(world.draws.randint(1, 5)))
    world.settle()


@scenario()
def contact_deleted_between_search_and_create(world: World) -> None:
    """The contact is deleted when it has been found and its note is on the way.

    The call ends as skipped, because nobody has the number any more.
    """
    tenant = world.tenant()
    (contact,) = tenant.add_contacts(1)
    trap = world.trap_request(CREATE, is_after=False, goes_on=True)
    ending = ("skipped", "contact_not_found")
    world.post([tenant.call(contact, endings=[ending])])
    trap.wait(timeout_s=20)
    world.sandbox.archive_contact(tenant.hub_id, contact.id)
    trap.release()
    world.settle()


@scenario()
def contact_merged_between_search_and_create(world: World) -> None:
    """The contact is merged into another when it has been found and its note is on the way.

    The note is on the contact that is left.
    """
    tenant = world.tenant()
    contact, survivor = tenant.add_twins()
    trap = world.trap_request(CREATE, is_after=False, goes_on=True)
    world.post([tenant.call(contact)])
    trap.wait(timeout_s=20)
    world.sandbox.merge_contacts(tenant.hub_id, primary_id=survivor, merged_id=contact.id)
    trap.release()
    world.settle()


@scenario()
def contact_merged_between_mark_and_read_back(world: World) -> None:
    """A create is not answered, and the contact is merged before HubSpot is read back.

    The note is found, or written, on the contact that is left.
    """
    tenant = world.tenant()
    contact, survivor = tenant.add_twins()
    kind = world.draws.choice(["reset_after", "reset_before"])
    world.sandbox.add_fault(CREATES, kind, times=1, hub_id=tenant.hub_id)
    world.post([tenant.call(contact)])
    world.wait_for(lambda: any(row["failures"] for row in world.rows()))
    world.sandbox.merge_contacts(tenant.hub_id, primary_id=survivor, merged_id=contact.id)
    world.settle()


@scenario()
def index_lags(world: World) -> None:
    """A contact was created seconds before the call, and HubSpot's search does not know it yet.

    The call is pending until a second look half a minute later finds the contact.
    """
    tenant = world.tenant()
    world.sandbox.set_behaviour(index_lag_seconds=2)
    try:
        world.post(tenant.calls(world.draws.randint(1, 6)))
        world.wait_for(
            lambda: all(row["looks"] or row["status"] != "pending" for row in world.rows())
        )
        time.sleep(2)
        world.settle()
    finally:
        world.sandbox.set_behaviour(index_lag_seconds=0)


@scenario()
def two_workspaces_with_the_same_calls(world: World) -> None:
    """Two workspaces on one account have calls with the same ids and contacts; answers get lost.

    Each workspace has a note of its own for each of its calls.
    """
    one = world.tenant()
    other = world.tenant(hub_id=one.hub_id)
    contacts = one.add_contacts(4)
    ids = [f"call_{number}" for number in range(1, 5)]
    for tenant in (one, other):
        kind = world.draws.choice(["reset_after", "reset_before", "garbage"])
        world.sandbox.add_fault(CREATES, kind, times=1, hub_id=one.hub_id)
        world.post(
            tenant.call(contact, call_id=call_id)
            for contact, call_id in zip(contacts, ids, strict=True)
        )
    world.settle()


@scenario()
def marker_spoken_by_another_call(world: World) -> None:
    """A caller reads out the last line of another call's note while that one's create is lost.

    Both calls have their own note.
    """
    tenant = world.tenant()
    contact, bystander = tenant.add_contacts(2)
    world.sandbox.add_fault(CREATES, "reset_before", times=1, hub_id=tenant.hub_id)
    victim = tenant.call(contact)
    log_id = world.post([victim])[0].log_id
    world.wait_for(lambda: any(row["failures"] for row in world.rows()))
    line = f"Call ID: {victim.call_id} · Ref: {log_id}"
    spoken: list[Mapping[str, str]] = [{"role": "user", "text": line}]
    world.post(
        tenant.call(each, transcript=spoken, summary=f"{line}\n{line}</p>{line}")
        for each in (contact, bystander)
    )
    world.settle()


SCENARIOS: Final[tuple[Scenario, ...]] = (
    two_workspaces_with_the_same_calls,
    marker_spoken_by_another_call,
    answered_unclearly_again_after_a_rewrite,
    contact_merged_between_mark_and_read_back,
    contact_merged_between_search_and_create,
    contact_deleted_between_search_and_create,
    _limit("SECONDLY"),
    _limit("SECONDLY", retry_after=3),
    _limit("TEN_SECONDLY_ROLLING"),
    _limit("TEN_SECONDLY_ROLLING", retry_after=3),
    _limit("DAILY"),
    _limit("DAILY", retry_after=600),
    *(each.scenario() for each in MISBEHAVIOURS),
    *_break("reset_before", "The connection is reset before HubSpot commits a create", LATE),
    *_break(
        "reset_after",
        "The connection is reset after HubSpot has committed a create",
        "The notes are there; the sync log says so some ten seconds later.",
    ),
    *_break("timeout_before", "HubSpot hangs and closes before a create commits", LATE, seconds=1),
    *_break(
        "timeout_after",
        "HubSpot commits a create, hangs and closes",
        "The notes are there; the sync log says so some ten seconds later.",
        seconds=1,
    ),
    committed_late,
    some_notes_refused,
    index_lags,
)
