"""What comes of sources, kept in memory for a moment and then written in one transaction.

A delivery of no interest costs no statement, however many there are: it is counted.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Event, Lock, Thread
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.database.engines import Database
from shared.sources.deliveries import (
    MOST_KEPT,
    CountNote,
    DeliveryNote,
    Kind,
    Result,
    SecretNote,
    SourceNote,
    record,
)

log = structlog.get_logger(__name__)

DELAY_S: Final = 0.5
# After a failure.
AGAIN_S: Final = 5.0
# Names of ignored events of a source within an hour; the others are counted as one.
MOST_EVENTS: Final = 50
OTHER: Final = "other"
# Of refused deliveries with one reason, one is remembered within that time: whoever sends them
# without end must not push out what matters.
REFUSED_EVERY_S: Final = 60.0
MOST_REFUSALS_KNOWN: Final = 10_000

_CountKey = tuple[str, datetime, Kind, str]


@dataclass
class _Notes:
    """What is not written yet."""

    deliveries: dict[str, deque[DeliveryNote]] = field(default_factory=dict)
    counts: dict[_CountKey, CountNote] = field(default_factory=dict)
    sources: dict[str, SourceNote] = field(default_factory=dict)
    secrets: dict[str, datetime] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.deliveries or self.counts or self.sources or self.secrets)

    def add_delivery(self, note: DeliveryNote) -> None:
        kept = self.deliveries.setdefault(note.source_id, deque(maxlen=MOST_KEPT))
        kept.append(note)

    def count(self, note: CountNote) -> None:
        key = note.source_id, note.hour, note.kind, note.event
        known = self.counts.get(key)
        if known is None and note.event:
            events = sum(1 for each in self.counts if each[:3] == key[:3])
            if events >= MOST_EVENTS and note.event != OTHER:
                self.count(replace(note, event=OTHER))
                return
        self.counts[key] = note if known is None else _add(known, note)

    def touch(self, note: SourceNote) -> None:
        known = self.sources.get(note.source_id)
        if known is None:
            self.sources[note.source_id] = note
            return
        changes = {
            name: value
            for name in ("received_at", "genuine_at", "refused_at", "refusal_code")
            if (value := getattr(note, name)) is not None
        }
        if note.refused_at is not None:
            changes["refusal_message"] = note.refusal_message
        self.sources[note.source_id] = replace(known, **changes)

    def add(self, later: "_Notes") -> None:
        """Add what has come after these."""
        for kept in later.deliveries.values():
            for delivery in kept:
                self.add_delivery(delivery)
        for count in later.counts.values():
            self.count(count)
        for source in later.sources.values():
            self.touch(source)
        self.secrets |= later.secrets


def _add(one: CountNote, other: CountNote) -> CountNote:
    return replace(
        one,
        count=one.count + other.count,
        last_at=max(one.last_at, other.last_at),
        message=other.message or one.message,
    )


class SourceJournal:
    """Remembers what became of deliveries; a thread writes it, and ends when nothing is left."""

    def __init__(
        self,
        database: Database,
        *,
        delay_s: float = DELAY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Remember for so many seconds before it is written."""
        self._database = database
        self._delay_s = delay_s
        self._clock = clock
        self._lock = Lock()
        self._writing = Lock()
        self._notes = _Notes()
        self._thread: Thread | None = None
        self._closing = Event()
        self._refusals: dict[tuple[str, str], float] = {}

    def note_call(self, note: DeliveryNote, *, secret_id: str | None) -> None:
        """A genuine delivery that is about a call."""
        with self._lock:
            self._notes.add_delivery(note)
            self._count(note.source_id, Kind.RECEIVED, note.at)
            self._touch(note.source_id, note.at, secret_id, is_call=True)
        self._begin()

    def note_unreadable(
        self,
        source_id: str,
        at: datetime,
        event: str,
        message: str,
        *,
        secret_id: str | None,
        fields: tuple[str, ...] = (),
    ) -> None:
        """A genuine delivery that cannot be understood; `fields` are names out of it."""
        note = DeliveryNote(
            source_id=source_id,
            at=at,
            event=event,
            result=Result.UNREADABLE,
            message=message,
            fields=fields,
        )
        with self._lock:
            self._notes.add_delivery(note)
            self._count(source_id, Kind.UNREADABLE, at)
            self._touch(source_id, at, secret_id)
        self._begin()

    def note_ignored(
        self,
        source_id: str,
        at: datetime,
        event: str,
        message: str | None = None,
        *,
        secret_id: str | None,
    ) -> None:
        """A genuine delivery of no interest; the message says that it should not come here."""
        with self._lock:
            self._count(source_id, Kind.IGNORED, at, event, message)
            self._touch(source_id, at, secret_id)
        self._begin()

    def note_unread(self, source_id: str, at: datetime, event: str, message: str) -> None:
        """A delivery that is too large to be checked: nobody knows whether it is genuine."""
        with self._lock:
            self._count(source_id, Kind.IGNORED, at, event, message)
        self._begin()

    def note_refused(
        self, source_id: str, at: datetime, code: str, message: str, *, is_vendors: bool
    ) -> None:
        """A delivery that is not genuine.

        Args:
            source_id: Whose address it came to.
            at: When.
            code: Why, in a word.
            message: Why, and what to check.
            is_vendors: It had what only the vendor's deliveries have: something is set up wrong.
        """
        with self._lock:
            self._count(source_id, Kind.REFUSED, at)
            if is_vendors:
                self._notes.touch(
                    SourceNote(
                        source_id=source_id,
                        refused_at=at,
                        refusal_code=code,
                        refusal_message=message,
                    )
                )
            if self._is_new_refusal(source_id, code):
                self._notes.add_delivery(
                    DeliveryNote(
                        source_id=source_id,
                        at=at,
                        event=None,
                        result=Result.REFUSED,
                        message=message,
                    )
                )
        self._begin()

    def flush(self) -> None:
        """Write what there is; raises DBAPIError, and then it is kept."""
        with self._writing:
            with self._lock:
                notes, self._notes = self._notes, _Notes()
            if not notes:
                return
            try:
                with self._database.begin() as session:
                    record(
                        session,
                        deliveries=[each for kept in notes.deliveries.values() for each in kept],
                        counts=list(notes.counts.values()),
                        sources=list(notes.sources.values()),
                        secrets=[SecretNote(*each) for each in notes.secrets.items()],
                    )
            except Exception:
                with self._lock:
                    notes.add(self._notes)
                    self._notes = notes
                raise

    def close(self) -> None:
        """Write what there is, and wait until the thread has ended."""
        self._closing.set()
        thread = self._thread
        if thread is not None:
            thread.join(5)

    def _is_new_refusal(self, source_id: str, code: str) -> bool:
        now = self._clock()
        last = self._refusals.get((source_id, code))
        if last is not None and now - last < REFUSED_EVERY_S:
            return False
        if len(self._refusals) >= MOST_REFUSALS_KNOWN:
            self._refusals.clear()
        self._refusals[source_id, code] = now
        return True

    def _count(
        self, source_id: str, kind: Kind, at: datetime, event: str = "", message: str | None = None
    ) -> None:
        hour = at.replace(minute=0, second=0, microsecond=0)
        self._notes.count(
            CountNote(
                source_id=source_id,
                hour=hour,
                kind=kind,
                event=event,
                count=1,
                last_at=at,
                message=message,
            )
        )

    def _touch(
        self, source_id: str, at: datetime, secret_id: str | None, *, is_call: bool = False
    ) -> None:
        received_at = at if is_call else None
        self._notes.touch(SourceNote(source_id=source_id, received_at=received_at, genuine_at=at))
        if secret_id is not None:
            self._notes.secrets[secret_id] = at

    def _begin(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            self._thread = Thread(target=self._run, name="source-journal", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        wait = self._delay_s
        while True:
            self._closing.wait(wait)
            try:
                self.flush()
                wait = self._delay_s
            except (DBAPIError, PoolTimeoutError) as error:
                log.warning("source_journal_waits", error=type(error).__name__)
                wait = AGAIN_S
            except Exception:
                log.exception("source_journal_failed")
                wait = AGAIN_S
            with self._lock:
                if not self._notes or self._closing.is_set():
                    self._thread = None
                    return
