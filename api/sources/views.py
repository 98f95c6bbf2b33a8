"""The dashboard's routes about call sources."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

import structlog
from flask import Blueprint, Response, request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from api.context.services import services
from api.context.tenants import current_bearer, guard, open_to_viewers
from api.description.operations import Failures, Operation
from api.http.bodies import Identifier, read_model, takes_body
from api.http.errors import (
    ApiError,
    ConflictError,
    FieldError,
    InvalidRequestError,
    NoSuchSourceError,
    ReadOnlyError,
)
from api.http.queries import read_query
from api.http.responses import respond
from api.log.auditing import audit
from api.sources.descriptions import (
    SOURCE_ID,
    AllUnassigned,
    DeliveriesShown,
    DeliveryShown,
    SourceAnswer,
    SourceRemoved,
    SourceShown,
    SourcesShown,
    UnassignedShown,
    describe_source,
    list_vendors,
)
from shared.privacy.audit import Action
from shared.sources.deliveries import list_deliveries, read_counts
from shared.sources.held import AT_ONCE, count_held, drop_held, write_held
from shared.sources.options import Owner, SourceOptions
from shared.sources.setting_up import (
    GivenSecret,
    InvalidSetupError,
    check_name,
    check_options,
    check_source_secret,
    find_adapter,
)
from shared.sources.storing import (
    FORWARDED,
    MOST_SECRETS,
    MOST_SOURCES,
    StoredSource,
    add_secret,
    add_source,
    change_source,
    count_sources,
    find_by_name,
    find_source,
    list_sources,
    remove_secret,
    remove_source,
)
from shared.sources.unassigned import assign_waiting, count_unassigned, list_unassigned
from sources.adapter import Adapter

log = structlog.get_logger(__name__)

blueprint = Blueprint("call_sources", __name__, url_prefix="/api/call-sources")
guard(blueprint)

# A table of thousands of assistants.
MAX_BYTES: Final = 1024 * 1024


class SelfServiceOffError(ApiError):
    status = HTTPStatus.FORBIDDEN
    code = "self_service_off"
    usual = "Call sources are set up by the platform: SELF_SERVICE_SOURCES is off."


class TooManySourcesError(ConflictError):
    """There are as many call sources as anybody may have."""

    code = "too_many_sources"
    usual = f"There are {MOST_SOURCES} call sources already. Remove one first."


MAY_NOT_CHANGE: Final = Failures(
    "MayNotChangeSources",
    "The token may only look, or only the platform sets up call sources here.",
    (ReadOnlyError, SelfServiceOffError),
)


class SecretGiven(BaseModel):
    """A secret with the way in which the vendor proves that it knows it."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    value: str
    """As the vendor shows it."""
    scheme: str | None = None
    """The vendor's default if left out."""


Secret = Annotated[str | SecretGiven, Field(union_mode="left_to_right")]


class NewSource(BaseModel):
    """A source that is to be added."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    vendor: str
    """One of those that `getCallSources` lists."""
    name: str | None = None
    """For people; the vendor's name if left out."""
    secret: Secret | None = None
    """As a text of the vendor's default scheme. Some vendors show it only once they have the
    address: it may be added later."""
    options: dict[str, Any] | None = None
    """As the vendor's `options` describe them."""
    paused: bool = False
    """Whether calls are to wait from the beginning."""


class SourceChange(BaseModel):
    """What is to change; what is absent stays."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    name: str | None = None
    """For people."""
    options: dict[str, Any] | None = None
    """All of them anew; null for none."""
    add_secret: Secret | None = None
    """Up to three are good at a time."""
    remove_secret: str | None = None
    """Its id."""
    paused: bool | None = None
    """Whether calls wait from now on."""
    held: Literal["write", "drop"] | None = None
    """What becomes of calls that have waited; they go on waiting if left out."""


class SourcesQuery(BaseModel):
    """Of a token with the role `platform`: whose sources; those of the platform if left out."""

    model_config = ConfigDict(extra="ignore", use_attribute_docstrings=True)

    user_id: Identifier | None = None
    """With `workspace_id`. Other tokens see their own sources, whatever is asked."""
    workspace_id: Identifier | None = None
    """See `user_id`."""


_PATH: Final = {"source_id": ("The source's id.", SOURCE_ID)}


@blueprint.get("")
@open_to_viewers
@Operation("getCallSources", "call sources", query=SourcesQuery, response=SourcesShown)
def show_sources() -> Response:
    """The call sources, and the vendors of which there may be more.

    A source is an address at which one vendor delivers its calls. `state` says what is missing:
    a secret, the first call, or, with `refusing`, that the last delivery was not proven.
    """
    owner = _read_owner()
    may_change = _may_change()
    _flush()
    with services().database.begin() as session:
        shown = _describe(session, list_sources(session, owner))
    vendors = list(list_vendors()) if may_change else []
    return respond(SourcesShown(sources=shown, vendors=vendors, self_service=may_change))


@blueprint.post("")
@takes_body(MAX_BYTES)
@Operation(
    "addCallSource",
    "call sources",
    query=SourcesQuery,
    body=NewSource,
    asked={
        "with a secret": {
            "vendor": "generic",
            "name": "Our platform",
            "secret": {"value": "a-secret-of-16-letters", "scheme": "header"},
            "options": {"fields": {"call_id": "id", "from_number": "caller"}},
        },
        "the secret comes later": {"vendor": "generic"},
    },
    response=SourceAnswer,
    status=201,
    failures=(MAY_NOT_CHANGE, TooManySourcesError),
)
def add() -> Response:
    """Add a call source.

    Its `url` is what the vendor is told to call. Without a secret it takes nothing yet. A token
    with the role `platform` that names no tenant adds a source whose calls each say whose they are
    (`options.tenants`).
    """
    owner = _read_owner()
    _require_self_service()
    given = read_model(NewSource)
    with _readable():
        adapter = find_adapter(given.vendor)
        options = check_options(adapter, given.options, is_platforms=owner is None)
        secret = _check_secret(adapter, given.secret, "secret")
        name = check_name(given.name) if given.name is not None else None
    with services().database.begin() as session:
        if count_sources(session, owner) >= MOST_SOURCES:
            raise TooManySourcesError
        source_id = add_source(
            session,
            owner=owner,
            vendor=adapter.vendor,
            name=name or _choose_name(session, owner, adapter),
            options=options.stored,
            paused=given.paused,
        )
        for each in (secret, options.forwarding):
            if each is not None:
                add_secret(
                    session, services().cipher, source_id, scheme=each.scheme, value=each.value
                )
        _audit(session, Action.SOURCE_ADDED, owner, source_id=source_id, vendor=adapter.vendor)
        shown = _describe_one(session, source_id, owner)
    log.info("source_added", source_id=source_id, vendor=adapter.vendor)
    return respond(SourceAnswer(source=shown), 201)


@blueprint.patch("/<source_id>")
@takes_body(MAX_BYTES)
@Operation(
    "updateCallSource",
    "call sources",
    query=SourcesQuery,
    path=_PATH,
    body=SourceChange,
    asked={
        "a second secret": {"add_secret": "another-secret-of-16"},
        "pause": {"paused": True},
        "go on": {"paused": False, "held": "write"},
    },
    response=SourceAnswer,
    failures=(MAY_NOT_CHANGE, NoSuchSourceError),
)
def change(source_id: str) -> Response:
    """Change a call source: name, options, secrets, pause.

    While it is paused its calls wait as skipped (`held`). A new entry in a platform's table of
    tenants also gives away the calls that waited for it.
    """
    owner = _read_owner()
    _require_self_service()
    given = read_model(SourceChange)
    with services().database.begin() as session:
        source = _require(find_source(session, source_id, owner, locked=True))
        with _readable():
            names = _apply(session, source, given)
        if names:
            _audit(session, Action.SOURCE_CHANGED, owner, source_id=source_id, names=names)
    if given.held is not None:
        _settle_held(source_id, given.held)
    if "options" in names:
        _assign_waiting(source_id, owner)
    with services().database.begin() as session:
        shown = _describe_one(session, source_id, owner)
    log.info("source_changed", source_id=source_id, names=names)
    return respond(SourceAnswer(source=shown))


@blueprint.delete("/<source_id>")
@Operation(
    "removeCallSource",
    "call sources",
    query=SourcesQuery,
    path=_PATH,
    response=SourceRemoved,
    failures=(MAY_NOT_CHANGE, NoSuchSourceError),
)
def remove(source_id: str) -> Response:
    """Remove a call source.

    Later deliveries are answered with 404, and its id is never given again. Its calls stay.
    """
    owner = _read_owner()
    _require_self_service()
    with services().database.begin() as session:
        source = _require(find_source(session, source_id, owner, locked=True))
        remove_source(session, source_id)
        _audit(session, Action.SOURCE_REMOVED, owner, source_id=source_id, vendor=source.vendor)
    log.info("source_removed", source_id=source_id)
    return respond(SourceRemoved())


@blueprint.get("/<source_id>/deliveries")
@open_to_viewers
@Operation(
    "getCallSourceDeliveries",
    "call sources",
    query=SourcesQuery,
    path=_PATH,
    response=DeliveriesShown,
    failures=(NoSuchSourceError,),
)
def show_deliveries(source_id: str) -> Response:
    """The last deliveries of a call source.

    Times, names of events and fields, and what became of them; nothing that was said in them.
    """
    owner = _read_owner()
    _flush()
    with services().database.begin() as session:
        _require(find_source(session, source_id, owner))
        found = list_deliveries(session, source_id)
    shown = [DeliveryShown.model_validate(each, from_attributes=True) for each in found]
    return respond(DeliveriesShown(deliveries=shown))


@blueprint.get("/<source_id>/unassigned")
@open_to_viewers
@Operation(
    "getUnassignedCalls",
    "call sources",
    query=SourcesQuery,
    path=_PATH,
    response=AllUnassigned,
    failures=(NoSuchSourceError,),
)
def show_unassigned(source_id: str) -> Response:
    """Calls of a platform's source of which nobody knows yet whose they are.

    They are kept encrypted for 30 days, and given away once the table of tenants has one of their
    keys.
    """
    owner = _read_owner()
    with services().database.begin() as session:
        _require(find_source(session, source_id, owner))
        found = list_unassigned(session, source_id)
    shown = [UnassignedShown.model_validate(each, from_attributes=True) for each in found]
    return respond(AllUnassigned(unassigned=shown))


def _read_owner() -> Owner | None:
    """Whose sources a request is about; None for the platform's own."""
    bearer = current_bearer()
    if not bearer.is_platform:
        return Owner(bearer.tenant.user_id, bearer.tenant.workspace_id)
    query = read_query(SourcesQuery, request.args)
    if query.user_id is None and query.workspace_id is None:
        return None
    for name in ("user_id", "workspace_id"):
        if getattr(query, name) is None:
            raise InvalidRequestError.of(name, "is missing: a tenant is named by both, or by none")
    return Owner(query.user_id or "", query.workspace_id or "")


def _may_change() -> bool:
    return services().settings.self_service_sources or current_bearer().is_platform


def _require_self_service() -> None:
    if not _may_change():
        raise SelfServiceOffError


def _require(source: StoredSource | None) -> StoredSource:
    if source is None:
        raise NoSuchSourceError
    return source


@contextmanager
def _readable() -> Iterator[None]:
    """Name the fields that are wrong."""
    try:
        yield
    except InvalidSetupError as error:
        raise InvalidRequestError(FieldError(*each) for each in error.problems) from error


def _check_secret(adapter: Adapter, given: Secret | None, field: str) -> GivenSecret | None:
    if given is None:
        return None
    if isinstance(given, str):
        return check_source_secret(adapter, given, None, field=field)
    return check_source_secret(adapter, given.value, given.scheme, field=field)


def _choose_name(session: Session, owner: Owner | None, adapter: Adapter) -> str:
    """The vendor's name, with a number if a source has it already."""
    numbered = (f"{adapter.title} {number}" for number in range(2, MOST_SOURCES + 2))
    for name in (adapter.title, *numbered):
        if find_by_name(session, owner, adapter.vendor, name) is None:
            return name
    return adapter.title


def _apply(session: Session, source: StoredSource, given: SourceChange) -> list[str]:
    """Change a locked source; returns what was changed by name. Raises InvalidSetupError."""
    adapter = find_adapter(source.vendor)
    names = sorted(given.model_fields_set)
    changes: dict[str, Any] = {}
    secrets = [_check_secret(adapter, given.add_secret, "add_secret")]
    if given.name is not None:
        changes["name"] = check_name(given.name)
    if "options" in names:
        options = check_options(adapter, given.options, is_platforms=source.owner is None)
        changes["options"] = options.stored
        secrets.append(options.forwarding)
    if given.paused is not None:
        changes["paused"] = given.paused
    if given.remove_secret is not None and not remove_secret(
        session, source.id, given.remove_secret
    ):
        raise InvalidSetupError(("remove_secret", "is no secret of this source"))
    kept = [each for each in source.secrets if each.id != given.remove_secret]
    for secret in secrets:
        if secret is not None:
            _require_room(kept, secret)
            cipher = services().cipher
            add_secret(session, cipher, source.id, scheme=secret.scheme, value=secret.value)
    if changes:
        change_source(session, source.id, **changes)
    return names


def _require_room(kept: list[Any], secret: GivenSecret) -> None:
    is_forwarding = secret.scheme == FORWARDED
    of_kind = [each for each in kept if (each.scheme == FORWARDED) is is_forwarding]
    if len(of_kind) >= MOST_SECRETS:
        raise InvalidSetupError(
            ("add_secret", f"is one too many: {MOST_SECRETS} are good at a time, remove one first")
        )


def _settle_held(source_id: str, decision: str) -> None:
    while True:
        with services().database.begin() as session:
            if decision == "write":
                done, connection_ids = write_held(session, source_id)
            else:
                done, connection_ids = drop_held(session, source_id), []
        for each in connection_ids:
            services().waker.wake(each)
        if done < AT_ONCE:
            return


def _assign_waiting(source_id: str, owner: Owner | None) -> None:
    """Give away the calls that waited for what the table says now."""
    with services().database.begin() as session:
        source = find_source(session, source_id, owner)
        if source is None or source.owner is not None:
            return
        general = SourceOptions.read(find_adapter(source.vendor), source.options).general
        if general.tenants is None:
            return
        assigned = assign_waiting(
            session,
            services().cipher,
            source_id,
            general.tenants,
            activity=services().settings.activity,
            is_held=source.paused,
        )
    for each in assigned.connection_ids:
        services().waker.wake(each)


def _audit(session: Session, action: Action, owner: Owner | None, **details: Any) -> None:
    tenant = current_bearer().tenant
    audit(
        session,
        action,
        user_id=owner.user_id if owner else tenant.user_id,
        workspace_id=owner.workspace_id if owner else tenant.workspace_id,
        **details,
    )


def _flush() -> None:
    """Show what has come up to now to this process."""
    with suppress(DBAPIError):  # the same will be said of what is read
        services().journal.flush()


def _describe_one(session: Session, source_id: str, owner: Owner | None) -> SourceShown:
    return _describe(session, [_require(find_source(session, source_id, owner))])[0]


def _describe(session: Session, sources: list[StoredSource]) -> list[SourceShown]:
    ids = [each.id for each in sources]
    if not ids:
        return []
    counts: Mapping[str, dict[str, int]] = read_counts(session, ids)
    held, unassigned = count_held(session, ids), count_unassigned(session, ids)
    return [
        describe_source(
            each,
            public_url=services().settings.public_url,
            counts=counts[each.id],
            held=held[each.id],
            unassigned=unassigned[each.id],
        )
        for each in sources
    ]
