"""What an adapter is: the words, the checks and the reading of one vendor's deliveries."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal, TypedDict

from pydantic import BaseModel, ConfigDict

Json = Any


class Outcome(StrEnum):
    """How a call ended, in the words that every vendor's own are read as."""

    COMPLETED = "completed"
    VOICEMAIL = "voicemail"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One request as it arrived.

    Attributes:
        method: `POST`, or `GET` where a vendor sends its events so.
        url: The public address that the vendor calls: `PUBLIC_URL`, the path, and the query as it
            came. Twilio and JustCall sign it.
        headers: Names and values in the order in which they came; a name may come twice.
        body: The raw bytes.
        received_at: When it came, aware UTC.
    """

    method: str = "POST"
    url: str
    headers: Sequence[tuple[str, str]] = field(repr=False)
    body: bytes = field(repr=False)
    received_at: datetime

    def header(self, name: str) -> str | None:
        """A header's value, by its name in any case; None if it is absent, blank or came twice.

        Of two values nobody can say which one the vendor sent: neither counts.
        """
        wanted = name.lower()
        values = [value.strip() for each, value in self.headers if each.lower() == wanted]
        return values[0] or None if len(values) == 1 else None

    def has_header(self, name: str) -> bool:
        """Whether a header came at all, once or more often."""
        return any(each.lower() == name.lower() for each, _ in self.headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A secret of a source. `scheme` names how the vendor proves that it knows it."""

    id: str
    scheme: str
    value: str = field(repr=False)


class Refusal(StrEnum):
    """Why a delivery is not taken."""

    NO_SECRET = "no_secret"  # noqa: S105 -- a code
    MISSING_SIGNATURE = "missing_signature"
    MALFORMED_SIGNATURE = "malformed_signature"
    WRONG_SIGNATURE = "wrong_signature"
    STALE = "stale"


class RefusedError(Exception):
    """The delivery is not genuine. The message says what to check, and quotes nothing secret."""

    def __init__(self, code: Refusal, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class InvalidSecretError(ValueError):
    """What was pasted cannot be a secret of that scheme; the message says what can."""


class Facts(TypedDict, total=False):
    """What a delivery says about a call, in the words of our own webhook's `data`.

    What is not known is left out. The pipeline reads each field as leniently as our own webhook's
    (shared numbers, cut texts, fields of another kind), so an adapter converts units and names, and
    need not check kinds.
    """

    phone_number: str
    """The customer's number, where the vendor itself says which side that is."""
    direction: Literal["inbound", "outbound"]
    from_number: str
    to_number: str
    parties: tuple[str | None, str | None]
    """Both ends of a call that has no direction: the pipeline takes the one that is not ours."""
    region: str
    """ISO 3166-1 alpha-2, for numbers without a country code; beats the connection's own."""
    started_at: datetime
    ended_at: datetime
    duration_seconds: float
    agent_name: str
    agent_email: str
    agent_id: str
    outcome: str
    """A word of `Outcome`, or the vendor's own if it means none of them."""
    summary: str
    recording_url: str
    transcript: list[dict[str, str]]
    """Turns of `{"role", "text"}`; `assistant` and `user` for the two sides of an agent's call."""
    structured_data: dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that a vendor tells about a call.

    Attributes:
        name: The vendor's name of the event.
        call: The vendor's id of the call, the same in all of its events. No prefix.
        facts: What it says.
        occurred_at: The event's own time out of the body, aware UTC; None if it has none.
        rank: Which of two events with the same time wins a field: the larger. A vendor's events
            are ranked by how much processing is behind them (ended 10, recording 20, analysis 30).
        is_end: The call is over.
        is_final: Nothing more will come of this call.
        withdrawn: Fields that must not be kept: consent was refused, or a redacted version exists.
            A field that this event gives itself is the redacted version: it stays, and what events
            say that do not withdraw the field goes, whether they came before or come later.
        tenant: Ids by which a platform's table finds the tenant (assistant, agent, phone number id,
            our number), the most specific first.
        user_id: A tenant that the event's metadata names, with `workspace_id`. The source's options
            say whether that counts.
        workspace_id: See `user_id`.
        notices: What could not be taken over, in sentences that quote nothing.
    """

    name: str
    call: str
    facts: Facts
    occurred_at: datetime | None = None
    rank: int = 10
    is_end: bool = False
    is_final: bool = False
    withdrawn: frozenset[str] = frozenset()
    tenant: tuple[str, ...] = ()
    user_id: str | None = None
    workspace_id: str | None = None
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ignored:
    """A genuine delivery that says nothing about a call's end. It takes no row.

    `misplaced` says, in a sentence for the dashboard, that the address was pasted in a place whose
    requests wait for an answer that only another service can give.
    """

    name: str
    misplaced: str | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A genuine delivery that cannot be understood; the message says why and quotes nothing.

    `fields` are names out of the body, where the customer chooses among them: never a value.
    """

    name: str
    message: str
    fields: tuple[str, ...] = ()


Reading = Event | Ignored | Unreadable


class Options(BaseModel):
    """The options of a source, and nothing else. Each vendor's are a subclass of this."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """A way in which a vendor proves that a delivery is its own.

    Attributes:
        name: As in the contract: `any`, `hmac`, `standard`, `auth_token`, ...
        title: For the dashboard: `Shared secret`.
        hint: What to paste, where the vendor shows it, and what else it can do there.
        check: Raises InvalidSecretError unless a text can be a secret of this scheme.
    """

    name: str
    title: str
    hint: str
    check: Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A request that a vendor could have sent, for trying a source out."""

    name: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """Everything that the system knows about one vendor.

    Attributes:
        vendor: The name in addresses: `/api/webhooks/{vendor}/{source}`.
        title: The name that people know.
        schemes: The default one first.
        steps: What to click at the vendor's, in order; `{url}` stands for the source's address.
        caveats: What people get wrong or cannot know, in sentences for the dashboard.
        options: The model of the source's own options.
        signature_headers: Headers that only this vendor's deliveries have: a refused request
            without any of them is a scanner's, and does not turn a source red.
        secret_required: Whether the vendor's deliveries can be trusted only with a secret.
        methods: The HTTP methods by which deliveries come.
        verify: Returns the secret that proves a delivery; raises RefusedError. Takes the delivery,
            the secrets that are valid now (never empty), and the options.
        read: What a verified delivery says: one reading for each thing in it, never none. Raises
            nothing, whatever the body.
        sample: Signed deliveries of one invented call in the order in which the vendor would send
            them, made with a secret, for an address, as of a time. Raises InvalidSecretError for
            a secret that can check signatures, but not make them.
    """

    vendor: str
    title: str
    schemes: tuple[Scheme, ...]
    steps: tuple[str, ...]
    caveats: tuple[str, ...] = ()
    options: type[Options] = Options
    signature_headers: tuple[str, ...] = ()
    secret_required: bool = True
    methods: tuple[str, ...] = ("POST",)
    verify: Callable[[Delivery, Sequence[Secret], Any], Secret]
    read: Callable[[Delivery, Any], Sequence[Reading]]
    sample: Callable[[Secret, str, datetime, Any], Sequence[Sample]]

    def scheme(self, name: str | None) -> Scheme:
        """A scheme by its name, the default for None; raises KeyError."""
        if name is None:
            return self.schemes[0]
        return {each.name: each for each in self.schemes}[name]


FRESH_S: Final = 300
