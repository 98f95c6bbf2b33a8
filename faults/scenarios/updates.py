"""Calls that grow after their notes were written: updates that die, hang, are lost or come late."""

from collections.abc import Sequence
from typing import Final

from faults.judging.history import SentCall
from faults.proxies.traps import StepTrap
from faults.scenario import scenario
from faults.tenants import Tenant
from faults.world import World
from sandbox.client import SandboxRecord
from shared.queue.claims import LEASE_S
from shared.queue.updates import UPDATE_SETTLE_S

MARK: Final = "AND u.claimed_until > now() AND u.hub_id"
RECORD: Final = "u.news = o.news"
READ: Final = "/notes/batch/read"
UPDATE: Final = "/notes/batch/update"


def write(world: World, *, most: int = 8) -> tuple[Tenant, list[SentCall]]:
    """Calls whose notes are there."""
    tenant = world.tenant()
    calls = tenant.calls(world.draws.randint(1, most))
    world.post(calls)
    world.settle()
    return tenant, calls


def complete(world: World, calls: Sequence[SentCall]) -> None:
    """Deliver more of each call, twice."""
    pieces = [piece for call in calls for piece in world.pieces(call)]
    world.draws.shuffle(pieces)
    world.producer.insist_on_all([*pieces, *pieces[:2]])


def strike(world: World, trap: StepTrap) -> None:
    """Complete calls, and kill the worker that comes to a step of their update."""
    # The trap is set before the calls are written, and only updates spring it.
    _, calls = write(world)
    complete(world, calls)
    world.skip(UPDATE_SETTLE_S)
    world.cluster.crew.kill(world.cluster.crew.owner(trap.wait()))
    world.mend()
    world.skip(LEASE_S)
    world.settle()


def note_of(world: World, tenant: Tenant, number: int = 0) -> SandboxRecord:
    return world.sandbox.notes(tenant.hub_id)[number]


@scenario()
def killed_before_reading(world: World) -> None:
    """A worker is killed while it reads the notes that are to be completed.

    Another worker completes them when the lease has run out.
    """
    strike(world, world.trap_request(READ, is_after=False))


@scenario()
def killed_between_reading_and_sending(world: World) -> None:
    """A worker is killed between reading the notes and sending what is new.

    Another worker completes them when the lease has run out.
    """
    strike(world, world.trap_request(READ, is_after=True))


@scenario()
def killed_after_the_mark(world: World) -> None:
    """A worker is killed between the mark of its updates and the request.

    The notes are completed after two minutes: until then the request may still arrive.
    """
    strike(world, world.trap_commit(MARK, is_after=True))


@scenario()
def killed_before_recording(world: World) -> None:
    """A worker is killed before the commit of what became of its updates.

    The notes are complete at once; two minutes later that is known.
    """
    strike(world, world.trap_commit(RECORD, is_after=False))


@scenario()
def killed_while_sending(world: World) -> None:
    """A worker is killed while its update is on the way to HubSpot.

    The notes are completed after two minutes: until then the request may still arrive.
    """
    strike(world, world.trap_request(UPDATE, is_after=False))


@scenario()
def killed_after_the_answer(world: World) -> None:
    """A worker is killed when HubSpot has completed the notes and before it is recorded.

    The notes are complete at once; two minutes later that is known.
    """
    strike(world, world.trap_request(UPDATE, is_after=True))


@scenario()
def frozen_while_sending(world: World) -> None:
    """A worker is frozen past its lease while its update is on the way.

    Nobody sends anything to these notes meanwhile; what it sent in the end is read.
    """
    trap = world.trap_request(UPDATE, is_after=True)
    _, calls = write(world)
    complete(world, calls)
    world.skip(UPDATE_SETTLE_S)
    trap.wait()
    complete(world, calls)
    world.skip(LEASE_S)
    world.mend()
    world.settle()


@scenario()
def answer_lost(world: World) -> None:
    """HubSpot completes the notes and its answer is lost, while more of the calls comes.

    What was sent is taken for ours when it is read: no section is there twice.
    """
    tenant, calls = write(world)
    world.sandbox.add_fault("notes.batch_update", "reset_after", times=1)
    complete(world, calls)
    world.skip(UPDATE_SETTLE_S)
    world.wait_for(lambda: bool(world.execute(_IN_DOUBT)))
    complete(world, calls)
    world.settle()
    if world.sandbox.lost_edits(tenant.hub_id):
        world.complain("a person's edit was lost, though nobody edited")


_IN_DOUBT: Final = """
    SELECT log_id FROM activity_updates
    WHERE user_id = ANY(%(users)s) AND last_write_at IS NOT NULL AND claimed_by IS NULL
"""


@scenario()
def html_is_normalised(world: World) -> None:
    """HubSpot writes notes in other HTML than it was sent, while calls grow twice.

    The notes are completed as a whole both times.
    """
    world.sandbox.set_behaviour(normalises_html=True)
    _, calls = write(world)
    for _ in range(2):
        complete(world, calls)
        world.settle()


@scenario()
def person_edits_before_the_reading(world: World) -> None:
    """People edit notes while the summaries of their calls are on the way.

    Their words stay, and what is new stands above the last line.
    """
    tenant, calls = write(world)
    for note in world.sandbox.notes(tenant.hub_id):
        body = note.body.replace("<p>", "<p>Call back! ", 1)
        world.sandbox.edit("notes", tenant.hub_id, note.id, hs_note_body=body)
    complete(world, calls)
    world.settle()
    if lost := world.sandbox.lost_edits(tenant.hub_id):
        world.complain(f"{len(lost)} edits were lost")


@scenario()
def person_deletes_and_restores(world: World) -> None:
    """A person deletes a note before it is completed, and restores it later.

    It is left alone until more of the call comes, and complete then.
    """
    tenant, calls = write(world, most=1)
    note = note_of(world, tenant)
    world.sandbox.delete("notes", tenant.hub_id, note.id)
    complete(world, calls)
    world.settle()
    world.sandbox.restore("notes", tenant.hub_id, note.id)
    complete(world, calls)
    world.settle()


@scenario()
def create_in_doubt(world: World) -> None:
    """More of a call comes while nobody knows whether its note was written.

    The doubt is settled first; then the note is completed.
    """
    tenant = world.tenant()
    calls = tenant.calls(world.draws.randint(1, 8))
    world.sandbox.add_fault("notes.batch_create", "reset_after", times=1)
    world.post(calls)
    complete(world, calls)
    world.settle()


@scenario()
def disconnected_and_reconnected(world: World) -> None:
    """An account is disconnected while notes wait to be completed, and connected again.

    They are completed then, and nothing is sent before.
    """
    tenant, calls = write(world)
    tenant.disconnect()
    complete(world, calls)
    world.settle()
    if any(each.endpoint == "notes.batch_update" for each in world.sandbox.requests()):
        world.complain("an update was sent without a connection")
    tenant.connect()
    world.settle()


@scenario()
def chatty_calls_beside_a_burst(world: World) -> None:
    """Calls grow again and again beside a burst of new ones.

    Both get their share of HubSpot's limits.
    """
    tenant, calls = write(world)
    burst = tenant.calls(300)
    world.producer.insist_on_all(burst)
    for _ in range(3):
        complete(world, calls)
    world.settle()


SCENARIOS: Final = (
    killed_before_reading,
    killed_between_reading_and_sending,
    killed_after_the_mark,
    killed_before_recording,
    killed_while_sending,
    killed_after_the_answer,
    frozen_while_sending,
    answer_lost,
    html_is_normalised,
    person_edits_before_the_reading,
    person_deletes_and_restores,
    create_in_doubt,
    disconnected_and_reconnected,
    chatty_calls_beside_a_burst,
)
