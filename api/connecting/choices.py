"""What a customer decides of their calls, as the API takes and gives it."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from typing_extensions import TypeAliasType

from api.http.errors import FieldError, InvalidRequestError
from api.http.responses import ResponseModel
from shared.calls import rules as calls_rules
from shared.calls.choices import Choices
from shared.calls.content import StorableText
from shared.calls.customers import read_e164
from shared.calls.directions import Direction
from shared.calls.rules import fold_word
from shared.configuration import settings as configuration
from shared.phone import MAX_TEXT

MOST_NUMBERS: Final = 500
MOST_OUTCOMES: Final = 50
LONGEST_OUTCOME: Final = 100
LONGEST_CALL_S: Final = 24 * 3600
# Those that hold phone numbers, which are read in the connection's region.
NUMBERS: Final = (("own_numbers",), ("rules", "blocked_numbers"), ("rules", "skip_lines"))
NOT_A_NUMBER: Final = (
    "must be a phone number, best with + and its country code, such as +12025550123"
)
# A change of these is a change of `Connection.choices`.
CHOSEN: Final = tuple(Choices.model_fields)

CHANGE = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)


def _check_activity(activity: configuration.Activity) -> configuration.Activity:
    if activity not in configuration.WRITABLE_ACTIVITIES:
        possible = " or ".join(configuration.WRITABLE_ACTIVITIES)
        raise ValueError(f"cannot be written by this version yet; give {possible}, or leave it out")
    return activity


Activity = TypeAliasType(
    "Activity",
    Annotated[
        configuration.Activity,
        AfterValidator(_check_activity),
        Field(
            description="What a call becomes in HubSpot: a note, or a Call object, which this"
            " version does not write yet. Holds for calls that come from now on."
        ),
    ],
)
WriteWhen = TypeAliasType(
    "WriteWhen",
    Annotated[
        calls_rules.WriteWhen,
        Field(
            description="`ended`: at once, and completed as more is known. `complete`: once"
            " summary and recording are there, the producer says that nothing more comes, or 15"
            " minutes have passed since we heard of the end; written once, and what comes later is"
            " kept back until a retry by hand."
        ),
    ],
)


def _check_directions(directions: list[Direction]) -> list[Direction]:
    if not directions or len(set(directions)) < len(directions):
        raise ValueError("must name inbound, outbound or both, each once")
    return directions


def _read_outcome(outcome: str) -> str:
    folded = fold_word(outcome)
    if folded is None:
        raise ValueError("must be an outcome, such as voicemail or no_answer")
    return folded


PhoneText = Annotated[StorableText, Field(min_length=1, max_length=MAX_TEXT)]
Numbers = Annotated[list[PhoneText], Field(max_length=MOST_NUMBERS, examples=[["+12025550100"]])]
Directions = Annotated[
    list[Annotated[Direction, Field(strict=False)]], AfterValidator(_check_directions)
]
Outcome = Annotated[
    StorableText,
    Field(min_length=1, max_length=LONGEST_OUTCOME),
    AfterValidator(_read_outcome),
]
Outcomes = Annotated[list[Outcome], Field(max_length=MOST_OUTCOMES, examples=[["voicemail"]])]
Seconds = Annotated[int, Field(ge=0, le=LONGEST_CALL_S)]


class KeepChange(BaseModel):
    """What of a call is to be stored; null goes back to the default."""

    model_config = CHANGE

    transcript: bool | None = None
    """Whether what was said word by word is kept."""
    recording: bool | None = None
    """Whether the link to the recording is kept."""


class RulesChange(BaseModel):
    """Rules to change; null goes back to the default of one, what is absent stays."""

    model_config = CHANGE

    min_duration_seconds: Seconds | None = None
    """Calls that were shorter are left out."""
    directions: Directions | None = None
    """Calls in other directions are left out."""
    skip_outcomes: Outcomes | None = None
    """Calls that ended so are left out; `No answer` and `no_answer` are the same."""
    blocked_numbers: Numbers | None = None
    """Calls with these numbers of customers are left out."""
    skip_lines: Numbers | None = None
    """Calls over these numbers of your own are left out."""
    require_summary: bool | None = None
    """Calls without a summary are left out."""


class ChoicesChange(BaseModel):
    """What a customer decides of their calls."""

    model_config = CHANGE

    own_numbers: Numbers | None = None
    """Your own phone numbers, which are never the customer's."""
    activity: Activity | None = None
    write_when: WriteWhen | None = None
    keep: KeepChange | None = None
    """What of a call is stored; what is off is dropped when it arrives."""
    rules: RulesChange | None = None
    """Which calls are left out: they end as skipped with the reason `filtered`."""


class Kept(ResponseModel):
    """What of a call is stored."""

    transcript: bool
    """Whether what was said word by word is kept."""
    recording: bool
    """Whether the link to the recording is kept."""


class CallRules(ResponseModel):
    """Which calls are left out."""

    min_duration_seconds: int
    """Calls that were shorter."""
    directions: list[Direction]
    """Calls in other directions."""
    skip_outcomes: list[str]
    """Calls that ended so."""
    blocked_numbers: list[str]
    """Calls with these numbers of customers, in E.164."""
    skip_lines: list[str]
    """Calls over these numbers of your own, in E.164."""
    require_summary: bool
    """Calls without a summary."""

    @classmethod
    def of(cls, rules: calls_rules.Rules) -> Self:
        return cls.model_validate(rules.model_dump())


def read_change(change: ChoicesChange, *, region: str) -> dict[str, Any]:
    """A change of choices as `merge_choices` takes it: numbers in E.164.

    Args:
        change: What was asked for.
        region: Where numbers without a country code are read.

    Raises:
        InvalidRequestError: Something is no phone number; each is named.
    """
    given = change.model_dump(mode="json", exclude_unset=True, include=set(CHOSEN))
    problems: list[FieldError] = []
    for path in NUMBERS:
        *parents, name = path
        holder = given
        for parent in parents:
            holder = holder.get(parent) or {}
        if holder.get(name) is not None:
            numbers = [read_e164(raw, region) for raw in holder[name]]
            problems.extend(_name_wrong(".".join(path), numbers))
            holder[name] = list(dict.fromkeys(numbers))
    if problems:
        raise InvalidRequestError(problems)
    return given


def _name_wrong(field: str, numbers: list[str | None]) -> Iterator[FieldError]:
    for place, number in enumerate(numbers):
        if number is None:
            yield FieldError(f"{field}.{place}", NOT_A_NUMBER)


def describe_choices(
    stored: Mapping[str, Any] | None, *, activity: configuration.Activity
) -> dict[str, Any]:
    """The fields of a response; `activity` is the service's default."""
    choices = Choices.of(stored)
    return {
        "own_numbers": list(choices.own_numbers),
        "activity": choices.activity or activity,
        "write_when": choices.write_when,
        "keep": Kept.model_validate(choices.keep.model_dump()),
        "rules": CallRules.of(choices.rules),
    }
