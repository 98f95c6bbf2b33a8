"""Producers that send too often, too late, or something else under the same id."""

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final

from faults.proxies.traps import RequestTrap
from faults.scenario import Scenario, scenario
from faults.world import World
from local.producer import WEBHOOK_PATH

COPIES: Final = 50
TOO_OLD: Final = timedelta(minutes=10)


@scenario()
def fifty_copies_at_once(world: World) -> None:
    """Fifty copies of one webhook arrive at the same moment.

    One call and one note; all copies are answered with the same id.
    """
    (call,) = world.tenant().calls(1)
    delivery_id = f"msg_{secrets.token_hex(8)}"
    with ThreadPoolExecutor(COPIES) as pool:
        answers = list(
            pool.map(lambda _: world.producer.deliver(call, delivery_id=delivery_id), range(COPIES))
        )
    if not all(each.is_acknowledged for each in answers):
        world.complain("a copy was not acknowledged")
    if sum(each.is_new for each in answers) != 1:
        world.complain("not exactly one copy was taken for the first")
    world.settle()


@scenario()
def same_call_with_another_body(world: World) -> None:
    """A webhook arrives again under its id, with another body and before the first is synced.

    It is news of the same call: one note, which says what was said last.
    """
    tenant = world.tenant()
    (contact,) = tenant.add_contacts(1)
    delivery_id = f"msg_{secrets.token_hex(8)}"
    first = tenant.call(contact)
    again = tenant.call(contact, call_id=first.call_id, summary="Something else altogether.")
    world.producer.deliver(first, delivery_id=delivery_id)
    if not world.producer.deliver(again, delivery_id=delivery_id).is_updated:
        world.complain("the second body was not taken for news of the call")
    world.settle()


@scenario()
def same_call_under_another_webhook_id(world: World) -> None:
    """The same calls are sent again under other webhook ids, while and after they are synced.

    One note each.
    """
    calls = world.tenant().calls(world.draws.randint(1, 8))
    for _ in range(3):
        world.post(calls)
    world.settle()
    world.post(calls)
    world.settle()


@scenario()
def replayed_after_the_tolerance(world: World) -> None:
    """A webhook with a genuine signature is sent again ten minutes after it was signed.

    It gets 401 and nothing happens, whether the call is known or not.
    """
    known, unknown = world.tenant().calls(2)
    world.post([known])
    for call in (known, unknown):
        answer = world.producer.deliver(call, sent_at=datetime.now(UTC) - TOO_OLD)
        if answer.status != HTTPStatus.UNAUTHORIZED:
            world.complain(f"a stale webhook was answered with {answer.status}")
    world.settle()
    if len(world.rows()) != 1:
        world.complain("a stale webhook was stored")


@scenario()
def answer_lost(world: World) -> None:
    """The connection breaks between the API's answer and the producer, one webhook in three.

    Sent again, the webhook is known as a duplicate and there is one row.
    """
    calls = world.tenant().calls(world.draws.randint(3, 9))
    for number, call in enumerate(calls):
        if number % 3 == 0:
            trap = RequestTrap(WEBHOOK_PATH, is_after=True)
            trap.release()  # cut at once
            world.cluster.api_door.traps.append(trap)
            if world.producer.deliver(call).status is not None:
                world.complain("an answer was not lost")
        answer = world.producer.insist(call)
        if answer.is_duplicate != (number % 3 == 0):
            world.complain("a webhook whose answer was lost was not known")
    world.settle()


@scenario()
def api_killed_under_load(world: World) -> None:
    """The API is killed (-9) and started again while calls come in.

    Webhooks get no answer meanwhile, so the producer sends them again.
    """
    calls = world.tenant().calls(40)
    with ThreadPoolExecutor(1) as pool:
        posting = pool.submit(world.post, calls, at_once=4)
        time.sleep(world.draws.uniform(0, 0.3))
        world.cluster.replace_api()
        posting.result()
    world.settle()


SCENARIOS: Final[tuple[Scenario, ...]] = (
    fifty_copies_at_once,
    same_call_with_another_body,
    same_call_under_another_webhook_id,
    replayed_after_the_tolerance,
    answer_lost,
    api_killed_under_load,
)
