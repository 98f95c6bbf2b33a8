"""Sources and vendors as responses show them."""

from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, Literal, Self

from api.http.responses import Moment, ResponseModel, Success
from api.log.entries import CAME_IN, LOG_ID
from shared.sources.deliveries import Result
from shared.sources.options import GeneralOptions
from shared.sources.storing import StoredSource
from sources.adapter import Adapter
from sources.registry import ADAPTERS

SOURCE_ID = "src_0123456789abcdef0123456789abcdef"


class State(StrEnum):
    """How a source is."""

    NEEDS_SECRET = "needs_secret"  # noqa: S105 -- a word
    WAITING = "waiting"
    RECEIVING = "receiving"
    REFUSING = "refusing"
    PAUSED = "paused"


class SecretShown(ResponseModel):
    """A secret; its value is never shown."""

    id: str
    """By which it is removed."""
    scheme: str
    """How the vendor proves that it knows it."""
    added_at: Moment
    """In epoch milliseconds."""
    last_used_at: Moment | None
    """When it proved a delivery last."""


class RefusalShown(ResponseModel):
    """Why a delivery was not taken."""

    code: str
    """In a word."""
    message: str
    """In words, with what to check."""


class DeliveryCounts(ResponseModel):
    """Deliveries within the last 24 hours."""

    received: int
    """Those about calls."""
    ignored: int
    """Genuine, and of no interest."""
    unreadable: int
    """Genuine, and not understood."""
    refused: int
    """Not genuine."""


class SourceShown(ResponseModel):
    """A call source."""

    id: str
    """Stands in its address; never given again."""
    vendor: str
    """Whose deliveries it takes."""
    name: str
    """For people."""
    url: str
    """What the vendor is told to call."""
    state: State
    secrets: list[SecretShown]
    """Any of which proves a delivery; without their values."""
    options: dict[str, Any]
    """As they were given, without secrets."""
    created_at: Moment
    """In epoch milliseconds."""
    last_received_at: Moment | None
    """When a call was delivered last."""
    last_refused_at: Moment | None
    """When a delivery was refused last that looked like the vendor's."""
    last_refusal: RefusalShown | None
    """Why that was."""
    counts: DeliveryCounts
    paused: bool
    """Whether calls wait as skipped, until somebody says whether to write them."""
    held: int
    """How many calls wait so."""
    unassigned: int
    """Of a platform's source: how many calls wait until somebody says whose they are."""
    user_id: str | None
    """Whose it is; null for a platform's source."""
    workspace_id: str | None
    """See `user_id`."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        return {
            "receiving": cls(
                id=SOURCE_ID,
                vendor="generic",
                name="Our platform",
                url=f"https://calls.example.com/api/webhooks/generic/{SOURCE_ID}",
                state=State.RECEIVING,
                secrets=[
                    SecretShown(
                        id="sec_0192f4a07c1e7d3f9a5b6c7d8e9f0a1b",
                        scheme="header",
                        added_at=CAME_IN,
                        last_used_at=CAME_IN,
                    )
                ],
                options={"fields": {"call_id": "id", "from_number": "caller"}},
                created_at=CAME_IN,
                last_received_at=CAME_IN,
                last_refused_at=None,
                last_refusal=None,
                counts=DeliveryCounts(received=12, ignored=3, unreadable=0, refused=0),
                paused=False,
                held=0,
                unassigned=0,
                user_id="user_1",
                workspace_id="ws_1",
            )
        }


class SchemeShown(ResponseModel):
    """A way in which a vendor proves that a delivery is its own."""

    name: str
    """What `scheme` says of a secret."""
    title: str
    """For people."""
    hint: str
    """What to paste, and where the vendor shows it."""


class VendorShown(ResponseModel):
    """A vendor whose calls can be received."""

    vendor: str
    """Its name in addresses."""
    title: str
    """For people."""
    secret: Literal["required", "optional"]
    """Whether deliveries can be taken without one."""
    schemes: list[SchemeShown]
    """The default one first."""
    steps: list[str]
    """What to click at the vendor's, in order; `{url}` stands for the source's address."""
    caveats: list[str]
    """What people get wrong, or cannot know."""
    options: dict[str, Any]
    """JSON Schema of the source's options."""


class SourcesShown(Success):
    """The call sources, and the vendors of which there may be more."""

    sources: list[SourceShown]
    """The oldest first."""
    vendors: list[VendorShown]
    """In the order in which they are offered; none for who may not add a source."""
    self_service: bool
    """Whether whoever asks may change anything about sources."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        return {
            "one source": cls(
                sources=[*SourceShown.examples().values()],
                vendors=[vendor for vendor in list_vendors() if vendor.vendor == "generic"],
                self_service=True,
            )
        }


class SourceAnswer(Success):
    """The source as it is now."""

    source: SourceShown

    @classmethod
    def examples(cls) -> dict[str, Self]:
        return {name: cls(source=each) for name, each in SourceShown.examples().items()}


class SourceRemoved(Success):
    """The source is gone; its calls stay."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        return {"removed": cls()}


class DeliveryShown(ResponseModel):
    """A delivery, or how many of an ignored event there were."""

    at: Moment
    """In epoch milliseconds."""
    event: str | None
    """The vendor's name; null where the delivery was not read."""
    result: Result
    call_id: str | None
    """The vendor's name, a colon, and its id of the call."""
    log_id: str | None
    """The call's entry in the sync log."""
    fields: list[str]
    """Names of the fields that it brought."""
    message: str | None
    """What was wrong with it or left out, in words."""
    count: int
    """1; of ignored events how many came within 24 hours."""


class DeliveriesShown(Success):
    """The last 50 deliveries that matter, newest first, and one line for each ignored event."""

    deliveries: list[DeliveryShown]
    """By their times."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        stored = DeliveryShown(
            at=CAME_IN,
            event="call.ended",
            result=Result.STORED,
            call_id="generic:call_xyz",
            log_id=LOG_ID,
            fields=["from_number", "summary"],
            message=None,
            count=1,
        )
        return {"stored": cls(deliveries=[stored])}


class UnassignedShown(ResponseModel):
    """Calls that wait until the table of tenants has one of these keys."""

    keys: list[str]
    """The most specific first; none if the calls name nothing that a table can have."""
    calls: int
    """How many."""
    since: Moment
    """When the oldest came."""


class AllUnassigned(Success):
    """Calls of a platform's source of which nobody knows yet whose they are."""

    unassigned: list[UnassignedShown]
    """Those with most calls first."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        waiting = UnassignedShown(keys=["agent_1", "+12025550100"], calls=2, since=CAME_IN)
        return {"two calls": cls(unassigned=[waiting])}


@cache
def list_vendors() -> tuple[VendorShown, ...]:
    """All vendors, in the order in which they are offered."""
    return tuple(_describe_vendor(each) for each in ADAPTERS.values())


def describe_source(
    source: StoredSource, *, public_url: str, counts: dict[str, int], held: int, unassigned: int
) -> SourceShown:
    """A source as a response shows it."""
    refused = source.last_refusal_code is not None
    return SourceShown(
        id=source.id,
        vendor=source.vendor,
        name=source.name,
        url=f"{public_url}/api/webhooks/{source.vendor}/{source.id}",
        state=judge_state(source),
        secrets=[SecretShown.model_validate(each, from_attributes=True) for each in source.secrets],
        options=dict(source.options),
        created_at=source.created_at,
        last_received_at=source.last_received_at,
        last_refused_at=source.last_refused_at,
        last_refusal=RefusalShown(
            code=source.last_refusal_code or "", message=source.last_refusal_message or ""
        )
        if refused
        else None,
        counts=DeliveryCounts.model_validate(counts),
        paused=source.paused,
        held=held,
        unassigned=unassigned,
        user_id=source.owner.user_id if source.owner else None,
        workspace_id=source.owner.workspace_id if source.owner else None,
    )


def judge_state(source: StoredSource) -> State:
    """How a source is. It refuses only if nothing genuine has come since."""
    adapter = ADAPTERS.get(source.vendor)
    if not source.secrets and (adapter is None or adapter.secret_required):
        return State.NEEDS_SECRET
    if source.paused:
        return State.PAUSED
    if _is_later(source.last_refused_at, source.last_genuine_at):
        return State.REFUSING
    return State.RECEIVING if source.last_received_at else State.WAITING


def _is_later(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and (other is None or one > other)


def _describe_vendor(adapter: Adapter) -> VendorShown:
    schema = adapter.options.model_json_schema()
    general = GeneralOptions.model_json_schema()
    schema["properties"] = general["properties"] | schema.get("properties", {})
    definitions = general.get("$defs", {}) | schema.get("$defs", {})
    return VendorShown(
        vendor=adapter.vendor,
        title=adapter.title,
        secret="required" if adapter.secret_required else "optional",
        schemes=[
            SchemeShown.model_validate(each, from_attributes=True) for each in adapter.schemes
        ],
        steps=list(adapter.steps),
        caveats=list(adapter.caveats),
        options=schema | ({"$defs": definitions} if definitions else {}),
    )
