"""Histories too long to come up by chance: each is what one safeguard is for."""

from collections.abc import Iterator

import pytest

from shared.log.replays import requeue_calls
from tests.state_machine.behaviour import PROPER, Answer, Behaviour, LookUp
from tests.state_machine.history import History
from tests.state_machine.rounds import SteppedRound
from worker.resources import Resources
from worker.rounds.doubts import LATE_COMMIT_S

UNANSWERED = Behaviour(answers=(Answer.LOST,))
LATEST_COMMIT_S = 100
OLD_S = 31 * 86_400
REMEMBERED_S = 61


@pytest.fixture
def history(resources: Resources) -> Iterator[History]:
    """A connected workspace with one call."""
    history = History(resources)
    history.connect(min(history.accounts))
    history.accepted["call_1"] = history.deliver("call_1").log_id
    history.check()
    yield history
    history.finish()
    history.end()


def claim(history: History) -> SteppedRound:
    connection = history.find_connection()
    assert connection is not None
    return history.claim(connection, most=1)


def prune(history: History) -> None:
    """Let everything become so old that its entries are deleted."""
    for seconds in (OLD_S, REMEMBERED_S):
        history.pass_time(seconds)
        history.keep_house()
        history.check()
    assert not history.rows


def notes(history: History) -> int:
    return sum(len(account.notes) for account in history.accounts.values())


def take_steps(round_: SteppedRound, history: History, count: int) -> None:
    for _ in range(count):
        round_.step(PROPER)
        history.check()


def test_create_that_commits_as_late_as_it_can_is_not_repeated(history: History) -> None:
    history.take_round(UNANSWERED)
    while history.now < LATEST_COMMIT_S:
        history.pass_time(10)
        history.take_round()
    history.commit_late(0)
    history.check()
    history.pass_time(LATE_COMMIT_S)
    history.take_round()
    assert history.rows[history.accepted["call_1"]].status == "success"
    assert notes(history) == 1


def test_answer_that_comes_after_the_claim_is_lost_still_counts(history: History) -> None:
    slow = claim(history)
    take_steps(slow, history, 3)  # looked up, marked, sent
    history.pass_time(30)
    history.sweep()
    history.check()
    successor = claim(history)
    history.check()
    slow.step()
    history.check()
    assert history.rows[history.accepted["call_1"]].status == "success"
    take_steps(successor, history, 2)  # reads back, and records what is known already
    assert notes(history) == 1


def test_second_note_of_a_worker_that_was_frozen_is_archived(history: History) -> None:
    frozen = claim(history)
    take_steps(frozen, history, 2)  # looked up, marked
    history.pass_time(30)
    history.sweep()
    history.check()
    for _ in range(2):
        history.take_round()
        history.pass_time(LATE_COMMIT_S)
    assert history.rows[history.accepted["call_1"]].status == "success"
    take_steps(frozen, history, 2)  # sent, recorded
    assert notes(history) == 2
    history.keep_house()
    assert notes(history) == 1


def test_second_note_of_which_a_frozen_worker_did_not_hear_is_archived(history: History) -> None:
    frozen = claim(history)
    take_steps(frozen, history, 2)  # looked up, marked
    history.pass_time(30)
    history.sweep()
    history.check()
    for _ in range(2):
        history.take_round()
        history.pass_time(LATE_COMMIT_S)
    assert history.rows[history.accepted["call_1"]].status == "success"
    frozen.step(Behaviour(answers=(Answer.LOST_BUT_WRITTEN,)))
    frozen.step()
    assert notes(history) == 2
    history.keep_house()
    assert notes(history) == 1


def test_call_that_waits_is_read_back_after_a_frozen_worker_wrote(history: History) -> None:
    frozen = claim(history)
    take_steps(frozen, history, 2)  # looked up, marked
    history.pass_time(30)
    history.sweep()
    history.check()
    history.take_round()
    history.pass_time(LATE_COMMIT_S)
    history.take_round(Behaviour(answers=(Answer.LIMITED,)))  # the rewrite was refused
    frozen.step(Behaviour(answers=(Answer.LOST_BUT_WRITTEN,)))
    frozen.step()
    history.check()
    history.pass_time(LATE_COMMIT_S)
    history.take_round()
    assert history.rows[history.accepted["call_1"]].status == "success"
    assert notes(history) == 1


def test_replay_during_a_look_outlives_it(history: History) -> None:
    nobody = Behaviour(look_ups=(LookUp.NOBODY,))
    log_id = history.accepted["call_1"]
    while history.rows[log_id].status != "skipped":
        history.take_round(nobody)
        history.pass_time(700)
    looking = claim(history)
    history.check()
    looking.step(nobody)
    with history.tenant.database.begin() as session:
        assert requeue_calls(session, [log_id], **history.tenant.identity) == 1
    looking.step()
    history.check()
    assert history.rows[log_id].status == "pending"
    history.take_round()
    assert history.rows[log_id].status == "success"


def test_frozen_worker_may_not_mark_what_another_one_took_over(history: History) -> None:
    frozen = claim(history)
    take_steps(frozen, history, 1)  # looked up
    history.pass_time(30)
    history.sweep()
    history.check()
    successor = claim(history)
    history.check()
    take_steps(frozen, history, 1)
    assert frozen.is_over
    take_steps(successor, history, 4)  # looked up, marked, sent, recorded
    assert notes(history) == 1


def test_outcome_without_a_note_is_dropped_once_the_claim_is_lost(history: History) -> None:
    slow = claim(history)
    slow.step(Behaviour(look_ups=(LookUp.SEVERAL,)))
    history.pass_time(30)
    history.sweep()
    history.check()
    successor = claim(history)
    history.check()
    take_steps(successor, history, 2)  # looked up, marked
    slow.step()
    history.check()
    take_steps(successor, history, 2)  # sent, recorded
    assert notes(history) == 1


def test_worker_that_cannot_record_an_unanswered_create_keeps_the_doubt(history: History) -> None:
    round_ = claim(history)
    take_steps(round_, history, 2)  # looked up, marked
    round_.step(UNANSWERED)
    round_.lose_postgres()
    history.check()
    history.take_round()
    history.commit_late(0)
    history.check()
    history.pass_time(LATE_COMMIT_S)
    history.take_round()
    assert notes(history) == 1


def test_call_is_known_when_its_entry_has_been_pruned(history: History) -> None:
    history.take_round()
    prune(history)
    again = history.deliver("call_1")
    assert again.is_duplicate
    assert again.log_id == history.accepted["call_1"]
    assert notes(history) == 1


def test_worker_that_was_frozen_until_its_entry_was_pruned_writes_nothing(
    history: History,
) -> None:
    frozen = claim(history)
    take_steps(frozen, history, 1)  # looked up
    history.pass_time(30)
    history.sweep()
    history.check()
    history.take_round()
    prune(history)
    frozen.step()
    history.check()
    assert frozen.is_over
    assert notes(history) == 1


def test_outcome_of_an_entry_that_was_pruned_is_nobodys(history: History) -> None:
    slow = claim(history)
    slow.step(Behaviour(look_ups=(LookUp.SEVERAL,)))
    history.pass_time(30)
    history.sweep()
    history.check()
    history.take_round()
    prune(history)
    slow.step()
    history.check()
    assert slow.is_over
    assert notes(history) == 1


def test_call_in_doubt_is_not_pruned(history: History) -> None:
    first, second = history.accounts
    history.take_round(Behaviour(answers=(Answer.LOST_BUT_WRITTEN,)))
    history.connect(second)
    history.hand_over()
    history.check()
    assert history.rows[history.accepted["call_1"]].error_code == "unconfirmed"
    for seconds in (OLD_S, REMEMBERED_S):
        history.pass_time(seconds)
        history.keep_house()
        history.check()
    assert list(history.rows) == [history.accepted["call_1"]]
    assert len(history.accounts[first].notes) == 1


def test_no_round_begins_until_every_call_is_parted_from_the_account_before(
    history: History,
) -> None:
    history.accepted["call_2"] = history.deliver("call_2").log_id
    history.check()
    first, second = history.accounts
    slow = claim(history)
    take_steps(slow, history, 1)  # looked up
    history.connect(second)
    history.accepted["call_3"] = history.deliver("call_3").log_id
    history.check()
    for moved in (1, 1):
        assert history.find_connection() is None
        history.hand_over(moved)
        history.check()
    history.hand_over()
    history.check()
    take_steps(slow, history, 1)
    assert slow.is_over
    history.take_round()
    ends = {row.call_id: (row.error_code, row.hub_id) for row in history.rows.values()}
    assert ends == {
        "call_1": ("not_connected", first),
        "call_2": ("not_connected", first),
        "call_3": (None, second),
    }
    assert notes(history) == 1
