"""What may happen, in the words of the rules."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from hypothesis import strategies as st

from tests.state_machine.behaviour import Answer, Behaviour, LookUp

MOST_CALLS: Final = 3
# Each call for each of three reasons, and the end of each.
MOST_HANDED_OVER: Final = 4 * MOST_CALLS
DAY: Final = 86_400

# Seconds: within what a live worker takes, beyond the lease, a late commit, beyond a doubt; beyond
# a pause, a retry, all retries, requeueing, the life of the content of a call.
SHORT: Final = (1, 9, 30, 90, 121)
LONG: Final = (700, 4000, DAY, 8 * DAY, 31 * DAY)


@dataclass(frozen=True, slots=True)
class Work:
    """Some steps of one worker: `number` chooses one that is under way, or a new one.

    A new one claims at most `most` calls, perhaps under a connection it looked at a while ago.
    """

    number: int
    steps: int
    most: int
    saw_earlier_connection: bool
    hubspot: Behaviour


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """What goes on between two events.

    Attributes:
        seconds: Time passes.
        are_alive: Workers renew their claims; otherwise they are frozen.
        is_swept: The sweep and the housekeeping run.
        moved: Of the calls that waited for a connect so many are handed over.
        late: HubSpot writes this one of the notes of which workers heard nothing.
        work: Workers go on, one after another.
    """

    seconds: int
    are_alive: bool
    is_swept: bool
    moved: int
    late: int | None
    work: Sequence[Work]


numbers = st.integers(0, 11)
rarely = st.sampled_from([False, False, False, True])
usually = rarely.map(operator.not_)
behaviours = st.builds(
    Behaviour,
    look_ups=st.lists(
        st.sampled_from((LookUp.FOUND,) * len(LookUp) + tuple(LookUp)), min_size=1, max_size=3
    ),
    contact=numbers,
    # These have the longest stories.
    answers=st.lists(
        st.sampled_from((Answer.CREATED, Answer.LOST, Answer.LOST_BUT_WRITTEN, *Answer)),
        min_size=1,
        max_size=3,
    ),
    is_vague=rarely,
    fails=rarely,
)
works = st.builds(
    Work,
    number=numbers,
    steps=st.sampled_from((1, 2, 3, 4, 5, 5, 5)),
    most=st.integers(1, MOST_CALLS),
    saw_earlier_connection=rarely,
    hubspot=behaviours,
)
meanwhiles = st.builds(
    Meanwhile,
    seconds=st.sampled_from((0, *SHORT)),
    are_alive=usually,
    is_swept=st.booleans(),
    moved=st.sampled_from((0, 1, MOST_HANDED_OVER)),
    late=st.none() | numbers,
    work=st.lists(works, min_size=1, max_size=3),
)


class Ending(Enum):
    """How a worker may lose its calls at once."""

    SHUT_DOWN = auto()
    POSTGRES_AWAY = auto()
    EXCEPTION = auto()
    KILLED = auto()


class Change(Enum):
    """What may become of a connection."""

    CONNECT = auto()
    CONNECT_OTHER_ACCOUNT = auto()
    DISCONNECT = auto()
    GRANT_REFUSED = auto()
    REFUSAL_TAKEN_BACK = auto()
    REGION_WRONG = auto()  # in which the callers' numbers are none
    REGION_RIGHT = auto()
    OTHER_ACTIVITY = auto()  # for the calls to come
