"""Receives vendors' deliveries at the addresses of call sources.

Everything genuine is answered with exactly 200, because some vendors count nothing else: also what
is of no interest, cannot be understood, or is too large.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final, Literal, Self

import structlog
from flask import Blueprint, Response, request
from opentelemetry.trace import SpanKind
from pydantic import BaseModel
from werkzeug.exceptions import MethodNotAllowed, RequestEntityTooLarge

from api.context.rationing import admit_owner, give_back
from api.context.services import services
from api.description.operations import Operation
from api.http.bodies import read_body, refuse_compressed, takes_body
from api.http.errors import (
    ApiError,
    InvalidSignatureError,
    NoSuchSourceError,
    UnsupportedEncodingError,
)
from api.http.responses import Success, respond
from api.intake.source_events import UnstorableError, make_call, name_call
from api.intake.source_lookup import OpenSource
from api.log.entries import LOG_ID
from api.webhooks.accepting import accept_together
from api.webhooks.receiving import UNAVAILABLE
from shared.calls.intake import NewCall, StoredCall
from shared.sources.deliveries import DeliveryNote, Result
from shared.sources.options import Owner
from shared.sources.unassigned import NOBODY, assign_waiting, find_owner, keep_call
from shared.telemetry.metrics import WEBHOOK_SECONDS, WEBHOOKS
from shared.telemetry.tracing import TRACEPARENT, carried, span
from sources.adapter import (
    Delivery,
    Event,
    Ignored,
    Reading,
    Refusal,
    RefusedError,
    Secret,
    Unreadable,
)
from sources.signing import is_equal

log = structlog.get_logger(__name__)

blueprint = Blueprint("deliveries", __name__, url_prefix="/api/webhooks")

# A vendor that gives a time for each word needs 3 MiB for an hour's call.
MAX_DELIVERY_BYTES: Final = 8 * 1024 * 1024
TOO_LARGE: Final = "too_large"
UNREADABLE: Final = "unreadable"
NO_SECRET_MESSAGE: Final = "The source has no secret yet: add it first."  # noqa: S105 -- words
_TOO_LARGE_MESSAGE: Final = (
    "The delivery was larger than 8 MiB and was not read; such are audio, mostly, which is not"
    " needed here."
)
_BEARER: Final = "bearer "
_CUSTOM: Final = frozenset({"header", "signature_header"})


class DeliveryReceived(Success):
    """The delivery is genuine; what is said of a call is stored durably."""

    id: str | None
    """The call's entry in the sync log; null where there is none."""
    duplicate: bool
    """Whether nothing in it is new."""
    updated: bool
    """Whether it completes or changes a call that was known."""
    ignored: bool | Literal["too_large", "unreadable"]
    """True for an event that is of no interest; else why nothing of it is stored."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        return {
            "stored": cls(id=LOG_ID, duplicate=False, updated=False, ignored=False),
            "of no interest": cls(id=None, duplicate=False, updated=False, ignored=True),
        }


class RefusedDeliveryError(InvalidSignatureError):
    """The signature or secret fits none of the source's, is stale or missing, or there is none yet.

    The source's card in the dashboard says what to check.
    """

    usual = "The delivery's signature or secret fits none of the source's secrets."

    def __init__(self, message: str = "") -> None:
        super().__init__(message)

    @classmethod
    def example(cls) -> ApiError:
        return cls(NO_SECRET_MESSAGE)


_PATH: Final = {
    "vendor": ("The vendor's name, as in the source's address.", "generic"),
    "source_id": ("The source.", "src_0123456789abcdef0123456789abcdef"),
}


@blueprint.after_request
def count_response(response: Response) -> Response:
    WEBHOOKS.labels(response.status_code).inc()
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        give_back()
    return response


@blueprint.post("/<vendor>/<source_id>", strict_slashes=False)
@takes_body(None)
@Operation(
    "receiveDelivery",
    "webhooks",
    is_signed=True,
    path=_PATH,
    response=DeliveryReceived,
    failures=(RefusedDeliveryError, NoSuchSourceError, UnsupportedEncodingError, UNAVAILABLE),
)
def receive_delivery(vendor: str, source_id: str) -> Response:
    """Take a vendor's delivery at the address of a call source.

    Signed as the vendor signs, with a secret that the source knows. Everything genuine is answered
    with 200, up to 8 MiB are read. Where the vendor sends events in the query of the address, the
    same by GET.
    """
    return _receive(vendor, source_id)


@blueprint.get("/<vendor>/<source_id>", strict_slashes=False)
@takes_body(None)
def receive_delivery_in_query(vendor: str, source_id: str) -> Response:
    """Take a delivery in the query of the address."""
    return _receive(vendor, source_id)


def _receive(vendor: str, source_id: str) -> Response:
    received_at = datetime.now(UTC)
    traceparent = request.headers.get(TRACEPARENT)
    with (
        WEBHOOK_SECONDS.time(),
        span("webhook delivery", SpanKind.SERVER, traceparent=traceparent),
    ):
        source = services().sources.find(source_id)
        if source is None or source.adapter.vendor != vendor:
            raise NoSuchSourceError
        if request.method not in source.adapter.methods:
            raise MethodNotAllowed(valid_methods=list(source.adapter.methods))
        return _Receiving(source, received_at).respond()


@dataclass(frozen=True, slots=True)
class _Genuine:
    """A delivery that was checked, as far as it can be read."""

    readings: Sequence[Reading]
    secret_id: str | None
    size: int


class _Receiving:
    """One delivery on its way."""

    def __init__(self, source: OpenSource, received_at: datetime) -> None:
        self._source = source
        self._id = source.stored.id
        self._at = received_at

    def respond(self) -> Response:
        genuine = self._check()
        if genuine is None:
            journal = services().journal
            journal.note_unread(self._id, self._at, TOO_LARGE, _TOO_LARGE_MESSAGE)
            return _answer(ignored=TOO_LARGE)
        events = [each for each in genuine.readings if isinstance(each, Event)]
        is_unreadable = self._note_others(genuine)
        if not events:
            return _answer(ignored=UNREADABLE if is_unreadable else True)
        return self._take(events, genuine) or _answer(ignored=UNREADABLE)

    def _check(self) -> _Genuine | None:
        """Read the body, and see that it is genuine; None if it is too large for that."""
        refuse_compressed()
        source = self._source
        bare = self._describe(b"")
        if not source.secrets and not source.forwarding and source.adapter.secret_required:
            self._refuse(
                RefusedError(Refusal.NO_SECRET, NO_SECRET_MESSAGE),
                bare,
            )
        has_body = request.content_length or "Transfer-Encoding" in request.headers
        size = request.content_length or (MAX_DELIVERY_BYTES if has_body else 0)
        if size > MAX_DELIVERY_BYTES:
            self._require_vendors(bare)
            return None
        with services().room.taken(size):
            try:
                request.max_content_length = MAX_DELIVERY_BYTES + 1
                body = read_body(MAX_DELIVERY_BYTES) if has_body else b""
            except RequestEntityTooLarge:
                self._require_vendors(bare)
                return None
            # Some have their proof in the body, so that it is parsed before anybody is known.
            with services().room.parsing(len(body)):
                delivery = self._describe(body)
                secret = self._verify(delivery)
                readings = source.adapter.read(delivery, source.options)
            return _Genuine(readings, secret.id if secret else None, len(body))

    def _describe(self, body: bytes) -> Delivery:
        query = request.query_string.decode("utf-8", "surrogateescape")
        url = services().settings.public_url + request.path
        return Delivery(
            method=request.method,
            url=f"{url}?{query}" if query else url,
            headers=tuple(request.headers.items()),
            body=body,
            received_at=self._at,
        )

    def _verify(self, delivery: Delivery) -> Secret | None:
        source = self._source
        forwarded = self._find_forwarding(delivery)
        if forwarded is not None:
            return forwarded
        if not source.secrets and not source.adapter.secret_required:
            return None
        try:
            return source.adapter.verify(delivery, source.secrets, source.options)
        except RefusedError as error:
            self._refuse(error, delivery)
            raise

    def _find_forwarding(self, delivery: Delivery) -> Secret | None:
        """The secret of the source's own that a forwarded delivery brings."""
        given = delivery.header("authorization") or ""
        if not self._source.general.forwarded or not given.lower().startswith(_BEARER):
            return None
        token = given[len(_BEARER) :].strip()
        found = [each for each in self._source.forwarding if is_equal(each.value, token)]
        return found[0] if found and token else None

    def _require_vendors(self, delivery: Delivery) -> None:
        """Raise RefusedDeliveryError unless a delivery that is not read looks like the vendor's."""
        if self._source.adapter.signature_headers and not self._has_headers(delivery):
            self._refuse(
                RefusedError(
                    Refusal.MISSING_SIGNATURE,
                    "The delivery is larger than 8 MiB and has none of the vendor's headers.",
                ),
                delivery,
            )

    def _refuse(self, error: RefusedError, delivery: Delivery) -> None:
        has_proof = error.code in {Refusal.WRONG_SIGNATURE, Refusal.STALE}
        is_vendors = (
            self._has_headers(delivery)
            if self._source.adapter.signature_headers
            else has_proof  # what has no headers of its own proves itself by its body
        )
        services().journal.note_refused(
            self._id, self._at, error.code, error.message, is_vendors=is_vendors
        )
        raise RefusedDeliveryError(error.message) from error

    def _has_headers(self, delivery: Delivery) -> bool:
        """Whether it has a header that only the vendor's deliveries have."""
        names = (*self._source.adapter.signature_headers, *_list_headers(self._source.options))
        return any(delivery.has_header(each) for each in names)

    def _note_others(self, genuine: _Genuine) -> bool:
        """Remember what is no event; returns whether something could not be read."""
        journal, secret_id = services().journal, genuine.secret_id
        is_unreadable = False
        for each in genuine.readings:
            if isinstance(each, Ignored):
                journal.note_ignored(
                    self._id, self._at, each.name, each.misplaced, secret_id=secret_id
                )
            elif isinstance(each, Unreadable):
                is_unreadable = True
                journal.note_unreadable(
                    self._id,
                    self._at,
                    each.name,
                    each.message,
                    secret_id=secret_id,
                    fields=each.fields,
                )
        return is_unreadable

    def _take(self, events: Sequence[Event], genuine: _Genuine) -> Response | None:
        """Store what is said of calls; None if nothing of it can be."""
        told: dict[str, list[Event]] = {}
        for event in events:
            told.setdefault(name_call(self._source.adapter.vendor, event), []).append(event)
        answers: list[Response] = []
        admitted: set[Owner | None] = set()
        for call_id, of_call in told.items():
            owner = self._find_owner(call_id, of_call)
            if owner not in admitted:
                admitted.add(owner)
                admit_owner(
                    user_id=owner.user_id if owner else None,
                    workspace_id=owner.workspace_id if owner else self._id,
                    size=genuine.size,
                )
            calls = list(self._make_calls(of_call, owner or NOBODY, genuine))
            if not calls:
                continue
            if owner is None:
                answers.append(self._keep(of_call, calls, genuine))
            else:
                answers.append(self._store(of_call, calls, owner, genuine))
        return answers[0] if answers else None

    def _find_owner(self, call_id: str, events: Sequence[Event]) -> Owner | None:
        """Whose a call is: the source's tenant, whose it was before, or whom the events name."""
        source = self._source
        if source.stored.owner is not None:
            return source.stored.owner
        with services().database.autocommit.connect() as connection:
            known = find_owner(connection, source_id=self._id, call_id=call_id)
        if known is not None or source.general.tenants is None:
            return known
        tenants = source.general.tenants
        found = (tenants.find(each.tenant, each.user_id, each.workspace_id) for each in events)
        return next((each for each in found if each is not None), None)

    def _make_calls(
        self, events: Sequence[Event], owner: Owner, genuine: _Genuine
    ) -> Iterator[NewCall]:
        source = self._source
        for event in events:
            try:
                yield make_call(
                    event,
                    vendor=source.adapter.vendor,
                    source_id=self._id,
                    owner=owner,
                    region=source.general.default_region,
                    is_held=source.stored.paused,
                    trace=carried(),
                )
            except UnstorableError as error:
                services().journal.note_unreadable(
                    self._id, self._at, event.name, str(error), secret_id=genuine.secret_id
                )

    def _store(
        self, events: Sequence[Event], calls: Sequence[NewCall], owner: Owner, genuine: _Genuine
    ) -> Response:
        stored = accept_together(calls)
        if self._source.stored.owner is None:
            self._assign(calls[0].call_id, owner)
        result = _judge(stored)
        self._note(events, calls[0], result, genuine, log_id=stored[0].log_id, owner=owner)
        log.info(
            "delivery_accepted", source_id=self._id, log_id=stored[0].log_id, result=result.value
        )
        return _answer(
            log_id=stored[0].log_id,
            duplicate=result is Result.DUPLICATE,
            updated=result is Result.UPDATED,
        )

    def _keep(
        self, events: Sequence[Event], calls: Sequence[NewCall], genuine: _Genuine
    ) -> Response:
        """Keep a call whose tenant nobody knows."""
        cipher = services().cipher
        with services().database.begin() as session:
            kept = [
                keep_call(
                    session,
                    cipher,
                    call,
                    keys=event.tenant,
                    claimed=(event.user_id, event.workspace_id),
                )
                for event, call in zip(events, calls, strict=False)
            ]
        # Another delivery may have made the call known meanwhile.
        with services().database.autocommit.connect() as connection:
            owner = find_owner(connection, source_id=self._id, call_id=calls[0].call_id)
        if owner is not None:
            self._assign(calls[0].call_id, owner)
        result = Result.STORED if any(kept) else Result.DUPLICATE
        message = (
            "Nobody knows yet whose call this is: it is kept for 30 days, until the table of"
            " tenants names one of its ids."
        )
        self._note(events, calls[0], result, genuine, message=message)
        return _answer(duplicate=result is Result.DUPLICATE)

    def _assign(self, call_id: str, owner: Owner) -> None:
        """Give a tenant what came of its call before anybody knew whose it was."""
        tenants = self._source.general.tenants
        if tenants is None:
            return
        with services().database.begin() as session:
            assigned = assign_waiting(
                session,
                services().cipher,
                self._id,
                tenants,
                activity=services().settings.activity,
                is_held=self._source.stored.paused,
                call_id=call_id,
                owner=owner,
            )
        for connection_id in assigned.connection_ids:
            services().waker.wake(connection_id)

    def _note(
        self,
        events: Sequence[Event],
        call: NewCall,
        result: Result,
        genuine: _Genuine,
        *,
        log_id: str | None = None,
        owner: Owner | None = None,
        message: str | None = None,
    ) -> None:
        notices = dict.fromkeys(notice for each in events for notice in each.notices)
        fields = {name for each in events for name in each.facts}
        services().journal.note_call(
            DeliveryNote(
                source_id=self._id,
                at=self._at,
                event=events[-1].name,
                result=result,
                call_id=call.call_id,
                log_id=log_id,
                user_id=owner.user_id if owner else None,
                workspace_id=owner.workspace_id if owner else None,
                fields=tuple(sorted(fields)),
                message=message or " ".join(notices) or None,
            ),
            secret_id=genuine.secret_id,
        )


def _judge(stored: Sequence[StoredCall]) -> Result:
    """What became of a call of which a delivery says several things."""
    if any(not each.is_duplicate and not each.is_updated for each in stored):
        return Result.STORED
    is_updated = any(each.is_updated for each in stored)
    return Result.UPDATED if is_updated else Result.DUPLICATE


def _answer(
    *,
    log_id: str | None = None,
    duplicate: bool = False,
    updated: bool = False,
    ignored: bool | str = False,
) -> Response:
    return respond(
        DeliveryReceived.model_validate(
            {"id": log_id, "duplicate": duplicate, "updated": updated, "ignored": ignored}
        )
    )


def _list_headers(options: BaseModel) -> Iterator[str]:
    """Headers of signatures that a source's options name."""
    for name in type(options).model_fields:
        value = getattr(options, name)
        if isinstance(value, BaseModel):
            yield from _list_headers(value)
        elif name in _CUSTOM and isinstance(value, str):
            yield value
