"""HubSpot that commits late, refuses in part, or changes under our hands."""

import time
from collections.abc import Mapping
from typing import Final

from faults.scenario import Scenario, scenario
from faults.scenarios.workers import CREATE
from faults.world import World

CREATES: Final = "notes.batch_create"
BAD_CALL: Final = "call_of_a_bad_note"


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
    trap.wait()
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
    trap.wait()
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
    committed_late,
    some_notes_refused,
    index_lags,
)
