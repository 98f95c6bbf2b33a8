"""Histories too long to come up by chance: each is what one safeguard is for."""

from collections.abc import Iterator

import pytest

from shared.replays import requeue_calls
from tests.state_machine.behaviour import PROPER, Answer, Behaviour, LookUp
from tests.state_machine.history import History
from tests.state_machine.turns import SteppedTurn
from worker.resources import Resources
from worker.transitions import LATE_COMMIT_S

UNANSWERED = Behaviour(answers=(Answer.LOST,))
LATEST_COMMIT_S = 100


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


def claim(history: History) -> SteppedTurn:
    return history.claim(history.tenant.connection(), most=1)


def notes(history: History) -> int:
    return sum(len(account.notes) for account in history.accounts.values())


def take_steps(turn: SteppedTurn, history: History, count: int) -> None:
    for _ in range(count):
        turn.step(PROPER)
        history.check()


def test_create_that_commits_as_late_as_it_can_is_not_repeated(history: History) -> None:
    history.take_turn(UNANSWERED)
    while history.now < LATEST_COMMIT_S:
        history.pass_time(10)
        history.take_turn()
    history.commit_late(0)
    history.check()
    history.pass_time(LATE_COMMIT_S)
    history.take_turn()
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
        history.take_turn()
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
        history.take_turn()
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
    history.take_turn()
    history.pass_time(LATE_COMMIT_S)
    history.take_turn(Behaviour(answers=(Answer.LIMITED,)))  # the rewrite was refused
    frozen.step(Behaviour(answers=(Answer.LOST_BUT_WRITTEN,)))
    frozen.step()
    history.check()
    history.pass_time(LATE_COMMIT_S)
    history.take_turn()
    assert history.rows[history.accepted["call_1"]].status == "success"
    assert notes(history) == 1


def test_replay_during_a_look_outlives_it(history: History) -> None:
    nobody = Behaviour(look_ups=(LookUp.NOBODY,))
    log_id = history.accepted["call_1"]
    for _ in range(2):
        history.take_turn(nobody)
        history.pass_time(700)
    assert history.rows[log_id].status == "skipped"
    looking = claim(history)
    history.check()
    looking.step(nobody)
    with history.tenant.database.begin() as session:
        assert requeue_calls(session, [log_id], **history.tenant.identity) == 1
    looking.step()
    history.check()
    assert history.rows[log_id].status == "pending"
    history.take_turn()
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
    turn = claim(history)
    take_steps(turn, history, 2)  # looked up, marked
    turn.step(UNANSWERED)
    turn.lose_postgres()
    history.check()
    history.take_turn()
    history.commit_late(0)
    history.check()
    history.pass_time(LATE_COMMIT_S)
    history.take_turn()
    assert notes(history) == 1
