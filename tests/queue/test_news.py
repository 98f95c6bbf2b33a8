"""What a later delivery says is appended beside the log, merged by whoever works on the tenant, and
has the consequences that its call's state allows."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier, Event
from typing import Any, Final
from uuid import uuid4

import pytest
from sqlalchemy import func, insert, select, text, update

from shared.activities.news import AppliedNews, apply_news, has_news, want_updates
from shared.calls import directions
from shared.calls.contents import read_contents, read_stored
from shared.calls.intake import (
    WITHOUT_END_S,
    WITHOUT_NEWS_S,
    NewCall,
    StoredCall,
    store_calls,
)
from shared.calls.merging import fingerprint
from shared.models import Activity, ActivityUpdate, Call, CallDelivery, SyncLog
from shared.privacy.erasure import erase_calls
from shared.privacy.retention import delete_old_payloads
from shared.queue.claims import load_contents
from shared.queue.updates import MOST_UPDATES, TOO_OFTEN_ERROR, UPDATE_SETTLE_S
from shared.queue.waiting import find_waiting_tenants
from shared.reasons import Lane, Reason
from tests.local.waiting import GUARD_SECONDS
from tests.queue.tenants import HUB, Tenant, ago, written

NUMBER: Final = "+12025550123"
OTHER: Final = "+12025550199"
NOON: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)


def say(tenant: Tenant, *deliveries: NewCall) -> list[StoredCall]:
    with tenant.database.begin() as session:
        return store_calls(session, deliveries, lane=Lane.LIVE)


def delivery(tenant: Tenant, call_id: str = "call_1", **said: Any) -> NewCall:
    """One delivery; what is no field of `NewCall` is a fact."""
    own: dict[str, Any] = dict(tenant.identity)
    own |= {name: said.pop(name) for name in [*said] if name in NewCall.__dataclass_fields__}
    number = said.get("phone_number", own.pop("phone_number", None))
    facts = said | ({"phone_number": number} if number else {})
    return NewCall(call_id=call_id, phone_number=number, payload=facts, **own)


def first(tenant: Tenant, **said: Any) -> str:
    (stored,) = say(tenant, delivery(tenant, **{"phone_number": NUMBER, "summary": "one"} | said))
    return stored.log_id


def more(tenant: Tenant, **said: Any) -> StoredCall:
    return say(tenant, delivery(tenant, **said))[0]


def apply(tenant: Tenant, most: int = 100) -> AppliedNews:
    with tenant.database.begin() as session:
        return apply_news(session, **tenant.identity, most=most)


def call_of(tenant: Tenant, log_id: str) -> Call:
    with tenant.database.begin() as session:
        return session.get_one(Call, log_id)


def content_of(tenant: Tenant, log_id: str) -> dict[str, Any]:
    with tenant.database.begin() as session:
        return dict(read_contents(session, [log_id])[log_id])


def update_of(tenant: Tenant, log_id: str) -> ActivityUpdate | None:
    with tenant.database.begin() as session:
        return session.get(ActivityUpdate, log_id)


def deliveries_of(tenant: Tenant, log_id: str) -> list[CallDelivery]:
    with tenant.database.begin() as session:
        query = select(CallDelivery).filter_by(log_id=log_id).order_by(CallDelivery.id)
        return list(session.scalars(query))


def write(tenant: Tenant, log_id: str, note_id: str = "note_1") -> None:
    """Claim the call and record its note, with what it was written from."""
    (call,) = tenant.claim()
    assert call.id == log_id
    content = content_of(tenant, log_id)
    tenant.record(written(call, note_id))
    with tenant.database.begin() as session:
        session.execute(
            insert(Activity).values(
                log_id=log_id, content_hash=fingerprint(content), updated_at=ago(3600)
            )
        )


def test_answers_say_whether_anything_is_new(tenant: Tenant) -> None:
    connection = tenant.connect()
    one = delivery(tenant, summary="one", phone_number=NUMBER)
    two = delivery(tenant, outcome="won")
    new, news = say(tenant, one, two)
    assert (new.is_duplicate, new.is_updated) == (False, False)
    assert news == StoredCall(new.log_id, False, connection.id, is_updated=True)
    for again in (one, two):
        assert say(tenant, again) == [StoredCall(new.log_id, True, None)]
    assert [each.facts for each in deliveries_of(tenant, new.log_id)] == [{"outcome": "won"}]


def test_copies_in_one_group_are_told_apart_and_the_later_counts(tenant: Tenant) -> None:
    stored = say(tenant, *(delivery(tenant, summary=word) for word in ("a", "b", "b", "c", "a")))
    assert [(each.is_duplicate, each.is_updated) for each in stored] == [
        (False, False),
        (False, True),
        (True, False),
        (False, True),
        (True, False),
    ]
    assert content_of(tenant, stored[0].log_id)["summary"] == "c"


def test_news_is_read_at_once_and_merged_by_whoever_works_on_the_tenant(tenant: Tenant) -> None:
    log_id = first(tenant)
    more(tenant, outcome="won", event="call.updated", rank=2)
    assert content_of(tenant, log_id) == {
        "phone_number": NUMBER,
        "summary": "one",
        "outcome": "won",
    }
    before = content_of(tenant, log_id)
    assert "outcome" not in call_of(tenant, log_id).payload
    assert apply(tenant) == AppliedNews(calls=1)
    call = call_of(tenant, log_id)
    assert (call.payload, call.revision) == (before, 2)
    assert call.payload_bytes is not None
    (seen,) = deliveries_of(tenant, log_id)
    assert (seen.facts, seen.fields, seen.event) == (None, ["outcome"], "call.updated")
    assert apply(tenant) == AppliedNews()


def test_an_event_of_an_earlier_time_fills_gaps_only(tenant: Tenant) -> None:
    log_id = first(tenant, occurred_at=NOON)
    assert more(tenant, summary="old", occurred_at=NOON - timedelta(1), outcome="won").is_updated
    assert more(tenant, summary="older", occurred_at=NOON - timedelta(2)).is_duplicate
    apply(tenant)
    assert more(tenant, outcome="lost", occurred_at=NOON - timedelta(2)).is_duplicate
    assert content_of(tenant, log_id)["summary"] == "one"
    assert content_of(tenant, log_id)["outcome"] == "won"


def test_stamps_outlive_the_merge(tenant: Tenant) -> None:
    log_id = first(tenant, occurred_at=NOON)
    more(tenant, summary="two", occurred_at=NOON + timedelta(2))
    apply(tenant)
    assert more(tenant, summary="between", occurred_at=NOON + timedelta(1)).is_duplicate
    assert more(tenant, summary="three", occurred_at=NOON + timedelta(3)).is_updated
    assert content_of(tenant, log_id)["summary"] == "three"


def test_a_claimed_call_is_written_from_what_came_before_its_claim_and_after(
    tenant: Tenant,
) -> None:
    log_id = first(tenant)
    more(tenant, outcome="won")
    (call,) = tenant.claim()
    assert call.payload == content_of(tenant, log_id)
    assert call.revision == 1
    more(tenant, agent_name="Ada")
    with tenant.database.begin() as session:
        assert load_contents(session, [call])[log_id]["agent_name"] == "Ada"


def test_news_of_a_claimed_call_waits_until_that_is_recorded(tenant: Tenant) -> None:
    log_id = first(tenant)
    (call,) = tenant.claim()
    more(tenant, outcome="won")
    assert apply(tenant) == AppliedNews()
    tenant.record(written(call))
    assert apply(tenant) == AppliedNews(calls=1, updates=1)
    wanted = update_of(tenant, log_id)
    assert wanted is not None
    assert (wanted.state, wanted.hub_id, wanted.news, wanted.fence) == ("waiting", HUB, 0, 0)


def test_news_that_a_note_was_written_from_wants_no_update(tenant: Tenant) -> None:
    log_id = first(tenant)
    more(tenant, outcome="won")
    write(tenant, log_id)
    assert apply(tenant) == AppliedNews(calls=1)
    assert update_of(tenant, log_id) is None
    assert more(tenant, outcome="lost").is_updated
    assert apply(tenant).updates == 1


def test_what_was_merged_under_another_claim_is_found_when_a_late_note_is_recorded(
    tenant: Tenant,
) -> None:
    log_id = first(tenant)
    (call,) = tenant.claim()
    hash_written = fingerprint(content_of(tenant, log_id))
    tenant.lose([call])
    more(tenant, outcome="won")
    assert apply(tenant).calls == 1
    tenant.record(written(call))
    assert call_of(tenant, log_id).revision != call.revision
    with tenant.database.begin() as session:
        session.execute(insert(Activity).values(log_id=log_id, content_hash=hash_written))
        assert want_updates(session, [log_id]) == 1


def test_updates_settle_and_are_spaced(tenant: Tenant) -> None:
    log_id = first(tenant)
    write(tenant, log_id)
    with tenant.database.begin() as session:
        session.execute(update(Activity).values(updates=2, updated_at=ago(10)))
    more(tenant, outcome="won")
    apply(tenant)

    def due_in() -> float:
        with tenant.database.begin() as session:
            query = select(func.extract("epoch", ActivityUpdate.due_at - func.now()))
            return float(session.scalars(query).one())

    assert 100 < due_in() <= 110
    with tenant.database.begin() as session:
        session.execute(text("DELETE FROM activity_updates"))
        session.execute(update(Activity).values(updates=0, updated_at=ago(3600)))
    more(tenant, outcome="lost")
    apply(tenant)
    assert UPDATE_SETTLE_S - 5 < due_in() <= UPDATE_SETTLE_S


def test_an_activity_written_often_enough_keeps_its_news_back_but_for_a_withdrawal(
    tenant: Tenant,
) -> None:
    log_id = first(tenant)
    write(tenant, log_id)
    with tenant.database.begin() as session:
        session.execute(update(Activity).values(updates=MOST_UPDATES))
    more(tenant, outcome="won")
    apply(tenant)
    wanted = update_of(tenant, log_id)
    assert wanted is not None
    assert (wanted.state, wanted.due_at, wanted.error) == ("held", None, TOO_OFTEN_ERROR)
    with tenant.database.begin() as session:
        session.execute(text("DELETE FROM activity_updates"))
    more(tenant, withdrawn=("summary",))
    apply(tenant)
    wanted = update_of(tenant, log_id)
    assert wanted is not None
    assert wanted.state == "waiting"


@pytest.mark.parametrize(
    ("state", "becomes"), [("deleted", "waiting"), ("failed", "waiting"), ("held", "held")]
)
def test_an_update_that_was_given_up_is_tried_again_for_news(
    tenant: Tenant, state: str, becomes: str
) -> None:
    log_id = first(tenant)
    write(tenant, log_id)
    with tenant.database.begin() as session:
        session.execute(
            insert(ActivityUpdate).values(
                **tenant.identity, log_id=log_id, hub_id=HUB, state=state, error="why", failures=3
            )
        )
    more(tenant, outcome="won")
    apply(tenant)
    wanted = update_of(tenant, log_id)
    assert wanted is not None
    assert wanted.state == becomes


NEW_NUMBER: Final = {"phone_number": OTHER}
MORE: Final = {"outcome": "won"}


@pytest.mark.parametrize(
    ("code", "status", "news", "is_pending"),
    [
        (Reason.NO_PHONE_NUMBER, "skipped", NEW_NUMBER, True),
        (Reason.NO_PHONE_NUMBER, "skipped", MORE, False),
        (Reason.INVALID_PHONE_NUMBER, "skipped", NEW_NUMBER, True),
        (Reason.UNKNOWN_DIRECTION, "skipped", {"direction": "inbound"}, True),
        (Reason.CONTACT_NOT_FOUND, "skipped", NEW_NUMBER, True),
        (Reason.CONTACT_NOT_FOUND, "skipped", MORE, False),
        (Reason.AMBIGUOUS_CONTACT, "skipped", NEW_NUMBER, True),
        (Reason.NOT_CONNECTED, "skipped", NEW_NUMBER, False),
        (Reason.RECONNECT_REQUIRED, "error", NEW_NUMBER, False),
        (Reason.MISSING_SCOPES, "error", MORE, False),
        (Reason.REJECTED_BY_HUBSPOT, "error", MORE, True),
        (Reason.POISON, "error", MORE, True),
        (Reason.HUBSPOT_UNAVAILABLE, "error", MORE, True),
    ],
)
def test_what_follows_depends_on_why_a_call_has_no_note(
    tenant: Tenant, code: Reason, status: str, news: dict[str, str], *, is_pending: bool
) -> None:
    log_id = first(tenant)
    tenant.change(
        [log_id],
        status=status,
        error_code=code,
        error_message="why",
        next_attempt_at=None,
        looks=2,
        attempts=2,
    )
    more(tenant, **news)
    assert apply(tenant) == AppliedNews(calls=1, requeued=int(is_pending))
    log = tenant.log(log_id)
    assert (log.status == "pending") is is_pending
    assert log.phone_number == news.get("phone_number", NUMBER)
    assert log.error_code == (None if is_pending else code)
    if is_pending:
        assert (log.looks, log.fence) == (0, 1)
        assert tenant.due_in(log_id) <= 0
    # Once for each change.
    tenant.change(
        [log_id], status="error", error_code="poison", error_message="m", next_attempt_at=None
    )
    assert apply(tenant) == AppliedNews()


def test_a_call_in_doubt_keeps_its_contact_its_number_and_its_status(tenant: Tenant) -> None:
    tenant.connect()
    log_id = first(tenant)
    calls = tenant.claim()
    tenant.mark(calls)
    tenant.release(calls)
    before = tenant.log(log_id)
    more(tenant, **NEW_NUMBER)
    assert apply(tenant) == AppliedNews(calls=1)
    after = tenant.log(log_id)
    kept = ("status", "phone_number", "contact_id", "hub_id", "last_write_at", "fence")
    assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]
    assert content_of(tenant, log_id)["phone_number"] == OTHER


def test_a_call_is_looked_up_when_its_end_is_reported(tenant: Tenant) -> None:
    log_id = first(tenant, is_end=False, event="call.updated")
    assert WITHOUT_NEWS_S - 60 < tenant.due_in(log_id) <= WITHOUT_NEWS_S
    assert tenant.claim() == []
    more(tenant, outcome="won", is_end=True)
    assert apply(tenant).calls == 1
    assert tenant.due_in(log_id) <= 0
    assert not tenant.log(log_id).awaits_end
    assert [each.id for each in tenant.claim()] == [log_id]


def test_a_call_whose_end_is_not_reported_waits_for_ten_minutes_after_its_last_news(
    tenant: Tenant,
) -> None:
    log_id = first(tenant, is_end=False)
    tenant.change([log_id], next_attempt_at=ago(-60))
    more(tenant, summary="two", is_end=False)
    apply(tenant)
    assert WITHOUT_NEWS_S - 60 < tenant.due_in(log_id) <= WITHOUT_NEWS_S


@pytest.mark.parametrize("said", [{"phone_number": None}, {"outcome": "In progress"}])
def test_a_call_without_a_number_or_one_that_goes_on_waits_for_a_day(
    tenant: Tenant, said: dict[str, Any]
) -> None:
    (stored,) = say(
        tenant,
        delivery(
            tenant, is_end=False, is_running="outcome" in said, **{"phone_number": NUMBER} | said
        ),
    )
    assert WITHOUT_END_S - 60 < tenant.due_in(stored.log_id) <= WITHOUT_END_S
    more(tenant, agent_name="Ada", is_end=False)
    apply(tenant)
    assert WITHOUT_END_S - 60 < tenant.due_in(stored.log_id) <= WITHOUT_END_S


def test_a_call_that_was_looked_up_already_is_not_put_off_by_news(tenant: Tenant) -> None:
    log_id = first(tenant, is_end=False)
    tenant.change([log_id], looks=1, attempts=1, next_attempt_at=ago(-30))
    more(tenant, summary="two", is_end=False)
    apply(tenant)
    assert tenant.due_in(log_id) <= 30


def test_a_withdrawal_outlives_order_and_the_content(tenant: Tenant) -> None:
    log_id = first(tenant, withdrawn=("transcript",))
    more(tenant, withdrawn=("recording_url",))
    apply(tenant)
    assert more(tenant, recording_url="https://h.example/a", transcript=[]).is_duplicate
    more(tenant, recording_url="https://h.example/a", agent_name="Ada")
    apply(tenant)
    assert content_of(tenant, log_id).keys() == {"phone_number", "summary", "agent_name"}
    assert all("recording_url" not in (each.facts or {}) for each in deliveries_of(tenant, log_id))
    assert tenant.log(log_id).withdrawn == ["recording_url", "transcript"]


def test_number_that_is_withdrawn_stands_in_the_log_no_more(tenant: Tenant) -> None:
    log_id = first(tenant)
    write(tenant, log_id)
    more(tenant, withdrawn=("phone_number",))
    assert apply(tenant).updates == 1
    assert tenant.log(log_id).phone_number is None
    assert tenant.log(log_id).status == "success"


def test_news_of_content_that_is_gone_is_a_duplicate(tenant: Tenant) -> None:
    log_id = first(tenant)
    more(tenant, outcome="won")
    with tenant.database.begin() as session:
        erase_calls(session, [log_id])
    assert more(tenant, outcome="lost") == StoredCall(log_id, True, None)
    assert deliveries_of(tenant, log_id) == []
    assert apply(tenant) == AppliedNews()


def test_retention_and_erasure_take_deliveries_fingerprints_and_updates_along(
    tenant: Tenant,
) -> None:
    for end in ("retention", "erasure"):
        log_id = first(tenant, call_id=end)
        write(tenant, log_id, end)
        more(tenant, call_id=end, outcome="won")
        apply(tenant)
        more(tenant, call_id=end, outcome="lost")
        assert update_of(tenant, log_id) is not None
        with tenant.database.begin() as session:
            if end == "erasure":
                erase_calls(session, [log_id])
            else:
                session.execute(update(Call).values(received_at=ago(10 * 86_400)))
                assert delete_old_payloads(session, days=1) == 1
        with tenant.database.begin() as session:
            for table in (Call, CallDelivery, Activity, ActivityUpdate):
                assert session.scalar(select(func.count()).select_from(table)) == 0


def test_a_tenant_with_news_is_found_as_waiting(tenant: Tenant) -> None:
    log_id = first(tenant)
    write(tenant, log_id)

    def waiting() -> list[tuple[str, bool]]:
        with tenant.database.begin() as session:
            return [(each.user_id, each.has_news) for each in find_waiting_tenants(session)]

    assert waiting() == []
    more(tenant, outcome="won")
    with tenant.database.begin() as session:
        assert has_news(session, **tenant.identity)
    assert waiting() == [(tenant.user_id, True)]
    apply(tenant)
    assert waiting() == []


def test_what_many_deliveries_add_up_to_stays_as_large_as_one(tenant: Tenant) -> None:
    log_id = first(tenant)
    for number in range(30):
        more(tenant, structured_data={f"{number}_{each}": "x" * 1_900 for each in range(10)})
        apply(tenant)
    assert (call_of(tenant, log_id).payload_bytes or 0) < 40_000


def test_call_that_brings_out_a_defect_holds_up_no_other(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = first(tenant, call_id="bad"), first(tenant, call_id="good")
    for call_id in ("bad", "good"):
        more(tenant, call_id=call_id, outcome=call_id)
    find = directions.find_customers_number

    def fail(content: dict[str, Any]) -> str | None:
        assert content.get("outcome") != "bad"
        return find(content)

    monkeypatch.setattr("shared.activities.news.find_customers_number", fail)
    assert apply(tenant).calls == 1
    assert call_of(tenant, good).payload["outcome"] == "good"
    monkeypatch.undo()
    assert apply(tenant).calls == 1
    assert call_of(tenant, bad).payload["outcome"] == "bad"


def test_intake_waits_for_nobody_who_works_on_the_call(tenant: Tenant) -> None:
    log_id = first(tenant)
    more(tenant, outcome="won")
    with tenant.database.begin() as session:
        session.execute(select(SyncLog).filter_by(id=log_id).with_for_update())
        assert apply_news(session, **tenant.identity, most=100).calls == 1
        session.flush()
        with ThreadPoolExecutor(1) as pool:  # while the merge is not committed
            news = pool.submit(more, tenant, agent_name="Ada").result(timeout=GUARD_SECONDS)
    assert news.is_updated
    apply(tenant)
    assert content_of(tenant, log_id).keys() >= {"outcome", "agent_name"}


def test_content_erased_while_news_is_appended_is_gone_for_good(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_id = first(tenant)
    has_read, may_go_on = Event(), Event()

    def read_and_wait(*arguments: Any) -> Any:
        found = read_stored(*arguments)
        has_read.set()
        assert may_go_on.wait(GUARD_SECONDS)
        return found

    monkeypatch.setattr("shared.calls.intake.read_stored", read_and_wait)
    with ThreadPoolExecutor(1) as pool:
        news = pool.submit(more, tenant, outcome="won")
        assert has_read.wait(GUARD_SECONDS)
        with tenant.database.begin() as session:
            erase_calls(session, [log_id])
        may_go_on.set()
        assert news.result(timeout=GUARD_SECONDS) == StoredCall(log_id, True, None)
    assert deliveries_of(tenant, log_id) == []


def test_erasure_that_is_undone_loses_no_news(tenant: Tenant) -> None:
    log_id = first(tenant)
    with ThreadPoolExecutor(1) as pool:
        with tenant.database.begin() as session:
            erase_calls(session, [log_id])
            session.flush()
            news = pool.submit(more, tenant, outcome="won")
            with pytest.raises(TimeoutError):  # its call may be gone, and may not
                news.result(timeout=0.5)
            session.rollback()
        assert news.result(timeout=GUARD_SECONDS).is_updated
    assert content_of(tenant, log_id)["outcome"] == "won"


def test_everybody_at_once_neither_locks_up_nor_loses_a_fact(tenant: Tenant) -> None:
    """Intake of the same calls in different orders, merging, claiming and recording."""
    tenant.connect()
    ids = [f"call_{number}" for number in range(8)]
    say(tenant, *(delivery(tenant, call_id=each, phone_number=NUMBER) for each in ids))
    barrier = Barrier(6)

    def deliver(worker: int) -> None:
        barrier.wait()
        for turn in range(10):
            order = ids if (worker + turn) % 2 else ids[::-1]
            key = f"k{worker}_{turn}"
            say(
                tenant,
                *(delivery(tenant, call_id=each, structured_data={key: 1}) for each in order),
            )

    def merge() -> None:
        barrier.wait()
        for _ in range(30):
            apply(tenant)

    def work() -> None:
        barrier.wait()
        for _ in range(20):
            calls = tenant.claim(3, claim_id=uuid4().hex)
            tenant.release(calls)

    runs: list[Callable[[], None]] = [
        *(lambda worker=worker: deliver(worker) for worker in range(3)),
        merge,
        merge,
        work,
    ]
    with ThreadPoolExecutor(len(runs)) as pool:
        for future in [pool.submit(run) for run in runs]:
            future.result(timeout=GUARD_SECONDS)
    while apply(tenant).calls:
        pass
    with tenant.database.begin() as session:
        contents = session.scalars(select(Call.payload)).all()
    expected = {f"k{worker}_{turn}" for worker in range(3) for turn in range(10)}
    assert [each["structured_data"].keys() for each in contents] == [expected] * len(ids)
