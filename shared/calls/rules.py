"""What the customer's rules, and `write_when`, say of a call that is about to be looked up. Pure.

A rule that is broken leaves the call out, and is named. One whose fact is missing waits for it
while more may come: until the source says that nothing will, or 15 minutes after we first heard of
the call's end. Then it passes, but for `require_summary`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from shared.calls.customers import OwnNumbersError, find_parties, read_e164
from shared.calls.directions import Direction, read_direction
from shared.phone import NO_REGION, PhoneError

WAIT_FOR_MORE_S: Final = 900.0

WriteWhen = Literal["ended", "complete"]


class Rules(BaseModel):
    """Which calls are left out; the defaults leave out none. Numbers are in E.164."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    min_duration_seconds: int = 0
    directions: tuple[Direction, ...] = (Direction.INBOUND, Direction.OUTBOUND)
    skip_outcomes: tuple[str, ...] = ()
    blocked_numbers: tuple[str, ...] = ()
    skip_lines: tuple[str, ...] = ()
    require_summary: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFacts:
    """What is looked at of a call.

    Attributes:
        duration_seconds: None if it is not known, as in the other fields.
        direction: Who called whom.
        outcome: In the form of `fold_word`.
        has_summary: It is there, or will never be kept.
        has_recording: Likewise.
        customer: The customer's number in E.164; None if it is withheld, unusable or not known.
        line: The other side's.
        is_final: Nothing more will come.
        ended_for: Seconds since we first heard of the end; None if it was never reported.
    """

    duration_seconds: float | None = None
    direction: Direction | None = None
    outcome: str | None = None
    has_summary: bool = False
    has_recording: bool = False
    customer: str | None = None
    line: str | None = None
    is_final: bool = False
    ended_for: float | None = 0.0

    @property
    def waits_at_most(self) -> float:
        """Seconds for which more may come; 0 when nothing will."""
        if self.is_final or self.ended_for is None:
            return 0
        return max(WAIT_FOR_MORE_S - self.ended_for, 0)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The call is filtered. The message names the rule, and quotes no number."""

    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class Awaited:
    """The call waits for a fact, so many seconds at most. The message says for what and why."""

    seconds: float
    message: str


@dataclass(frozen=True, slots=True)
class _Missing:
    rule: str
    fact: str


Verdict = LeftOut | Awaited | None


def fold_word(word: object) -> str | None:
    """An outcome as outcomes are compared: `No answer` is `no_answer`. None if there is none."""
    return "_".join(str(word or "").replace("-", " ").lower().split()) or None


def read_facts(
    content: Mapping[str, Any],
    *,
    own_numbers: Collection[str] = (),
    region: str,
    withdrawn: Collection[str] = (),
    is_final: bool = False,
    ended_for: float | None = 0.0,
) -> CallFacts:
    """What is looked at of a call's content.

    Args:
        content: Fields of `CallContent` as JSON.
        own_numbers: Those that are never the customer's.
        region: Of numbers without a country code.
        withdrawn: Fields that are not kept.
        is_final: See `CallFacts`.
        ended_for: See `CallFacts`.
    """
    customer = line = None
    with suppress(PhoneError, OwnNumbersError):
        parties = find_parties(content, own_numbers=own_numbers, region=region)
        customer, line = (read_e164(each, region) for each in parties)
    return CallFacts(
        duration_seconds=_read_duration(content),
        direction=_read_direction(content, customer, line, region),
        outcome=fold_word(content.get("outcome")),
        has_summary=bool(content.get("summary")) or "summary" in withdrawn,
        has_recording=bool(content.get("recording_url")) or "recording_url" in withdrawn,
        customer=customer,
        line=line,
        is_final=is_final,
        ended_for=ended_for,
    )


def what_rules_look_at(content: Mapping[str, Any]) -> object:
    """Equal for two states of a call of which no rule could think differently."""
    numbers = tuple(content.get(name) for name in _NUMBERS)
    facts = read_facts(dict(content) | dict.fromkeys(_NUMBERS), region=NO_REGION)
    return replace(facts, has_recording=False), numbers


_NUMBERS: Final = ("phone_number", "from_number", "to_number")


def judge(rules: Rules, facts: CallFacts) -> Verdict:
    """What the rules say of a call; None: nothing against looking it up."""
    found = [each for check in _CHECKS if (each := check(rules, facts)) is not None]
    for each in found:
        if isinstance(each, LeftOut):
            return each
    missing = [each for each in found if isinstance(each, _Missing)]
    if not missing:
        return None
    if facts.waits_at_most > 0:
        return Awaited(
            facts.waits_at_most,
            f"Waits for {_join(each.fact for each in missing)}, because of your"
            f" {_name_rules(each.rule for each in missing)}, up to 15 minutes after the call.",
        )
    if any(each.rule == "require_summary" for each in missing):
        return LeftOut(
            "require_summary",
            "Left out by your rule require_summary: no summary has come. If one comes, the call is"
            " looked at again.",
        )
    return None


def await_completion(write_when: WriteWhen, facts: CallFacts) -> Awaited | None:
    """Whether a call that may be written waits until it is complete."""
    if write_when != "complete" or facts.waits_at_most <= 0:
        return None
    missing = [
        fact
        for fact, is_there in (
            ("its summary", facts.has_summary),
            ("its recording", facts.has_recording),
        )
        if not is_there
    ]
    if not missing:
        return None
    return Awaited(
        facts.waits_at_most,
        f"Waits for {_join(missing)}, up to 15 minutes after the call, because it is to be written"
        " once it is complete (write_when).",
    )


def _check_duration(rules: Rules, facts: CallFacts) -> LeftOut | _Missing | None:
    if not rules.min_duration_seconds:
        return None
    if facts.duration_seconds is None:
        return _Missing("min_duration_seconds", "its duration")
    if facts.duration_seconds >= rules.min_duration_seconds:
        return None
    return _leave_out(
        "min_duration_seconds", f"the call was shorter than {rules.min_duration_seconds} s"
    )


def _check_direction(rules: Rules, facts: CallFacts) -> LeftOut | _Missing | None:
    if set(rules.directions) == set(Direction):
        return None
    if facts.direction is None:
        return _Missing("directions", "its direction")
    if facts.direction in rules.directions:
        return None
    return _leave_out("directions", f"{facts.direction.value} calls are not written")


def _check_outcome(rules: Rules, facts: CallFacts) -> LeftOut | _Missing | None:
    if not rules.skip_outcomes:
        return None
    if facts.outcome is None:
        return _Missing("skip_outcomes", "its outcome")
    if facts.outcome not in map(fold_word, rules.skip_outcomes):
        return None
    return _leave_out("skip_outcomes", f"its outcome is {facts.outcome[:100]}")


def _check_customer(rules: Rules, facts: CallFacts) -> LeftOut | _Missing | None:
    # Without a customer's number a call is looked up for nobody, whatever the rules.
    if facts.customer is None or facts.customer not in rules.blocked_numbers:
        return None
    return _leave_out("blocked_numbers", "the customer's number is on the list")


def _check_line(rules: Rules, facts: CallFacts) -> LeftOut | _Missing | None:
    if not rules.skip_lines:
        return None
    if facts.line is None:
        return _Missing("skip_lines", "the number of your line")
    if facts.line not in rules.skip_lines:
        return None
    return _leave_out("skip_lines", "your line of this call is on the list")


def _check_summary(rules: Rules, facts: CallFacts) -> LeftOut | _Missing | None:
    if not rules.require_summary or facts.has_summary:
        return None
    return _Missing("require_summary", "its summary")


_CHECKS: Final[tuple[Callable[[Rules, CallFacts], LeftOut | _Missing | None], ...]] = (
    _check_duration,
    _check_direction,
    _check_outcome,
    _check_customer,
    _check_line,
    _check_summary,
)


def _leave_out(rule: str, why: str) -> LeftOut:
    return LeftOut(rule, f"Left out by your rule {rule}: {why}.")


def _read_direction(
    content: Mapping[str, Any], customer: str | None, line: str | None, region: str
) -> Direction | None:
    direction = read_direction(content.get("direction"))
    if direction is not None or customer is None or line is None:
        return direction
    # Whose side is whose is known, and so is who called whom.
    is_caller = customer == read_e164(content.get("from_number"), region)
    return Direction.INBOUND if is_caller else Direction.OUTBOUND


def _read_duration(content: Mapping[str, Any]) -> float | None:
    duration = content.get("duration_seconds")
    if duration is not None:
        return float(duration)
    times = [content.get(name) for name in ("started_at", "ended_at")]
    if not all(times):
        return None
    started, ended = (datetime.fromisoformat(str(each)) for each in times)
    return max((ended - started).total_seconds(), 0)


def _name_rules(rules: Iterable[str]) -> str:
    names = list(rules)
    return ("rule " if len(names) == 1 else "rules ") + _join(names)


def _join(words: Iterable[str]) -> str:
    *first, last = list(words)
    return f"{', '.join(first)} and {last}" if first else last
