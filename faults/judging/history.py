"""What was sent and what was answered: every webhook of one run, kept by the producer."""

import math
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

SYNCED: Final = frozenset({("success", None)})
# What a person reads in the sync log: a status and an error code.
Ending = tuple[str, str | None]


@dataclass(frozen=True)
class SentCall:
    """A call, and how it has to end.

    Attributes:
        user_id, workspace_id, call_id: whose call it is and which.
        hub_id: the account that its note belongs in.
        contact_ids: the contacts on which its note may be; none if there must be no note.
        endings: how it may end.
        number: the caller's number in full, as the contact has it.
        data: the webhook's `data`.
    """

    user_id: str
    workspace_id: str
    call_id: str
    hub_id: int
    contact_ids: Collection[str]
    data: Mapping[str, Any] = field(repr=False)
    endings: Collection[Ending] = SYNCED
    number: str | None = None

    @property
    def identity(self) -> tuple[str, str, str]:
        return self.user_id, self.workspace_id, self.call_id


@dataclass(frozen=True)
class Delivery:
    """One webhook and its answer; `status` is None when there was none."""

    call: SentCall
    status: int | None
    log_id: str | None
    is_duplicate: bool | None
    seconds: float
    is_updated: bool = False

    @property
    def is_new(self) -> bool:
        """Whether the call was answered to be a new one."""
        return self.is_duplicate is False and not self.is_updated

    @property
    def is_acknowledged(self) -> bool:
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - any 2xx


class History:
    """The deliveries of one run, in the order of their answers."""

    def __init__(self) -> None:
        self._deliveries: list[Delivery] = []
        self._lock = threading.Lock()

    def add(self, delivery: Delivery) -> None:
        """Keep a delivery; from any thread."""
        with self._lock:
            self._deliveries.append(delivery)

    @property
    def deliveries(self) -> list[Delivery]:
        with self._lock:
            return list(self._deliveries)

    @property
    def sent(self) -> dict[tuple[str, str, str], SentCall]:
        """Every call that was sent, acknowledged or not, by identity."""
        return {each.call.identity: each.call for each in self.deliveries}

    @property
    def summaries(self) -> dict[tuple[str, str, str], set[str]]:
        """What each call that was sent said of itself, in every body it came in, by identity."""
        found: dict[tuple[str, str, str], set[str]] = {}
        for each in self.deliveries:
            found.setdefault(each.call.identity, set()).add(each.call.data["summary"])
        return found

    @property
    def acknowledged(self) -> dict[tuple[str, str, str], set[str]]:
        """The log ids that each acknowledged call was answered with, by the call's identity."""
        found: dict[tuple[str, str, str], set[str]] = {}
        for each in self.deliveries:
            if each.is_acknowledged and each.log_id:
                found.setdefault(each.call.identity, set()).add(each.log_id)
        return found


@dataclass(frozen=True)
class WebhookTimes:
    """The 99th percentile of webhooks' seconds, in the calm and during a fault."""

    calm_s: float
    during_s: float

    @classmethod
    def of(cls, calm: Sequence[Delivery], during: Sequence[Delivery]) -> Self:
        return cls(p99(calm), p99(during))

    @property
    def ratio(self) -> float:
        return self.during_s / self.calm_s

    def cells(self) -> tuple[str, str, str]:
        calm, during = (f"{seconds * 1000:.0f} ms" for seconds in (self.calm_s, self.during_s))
        return calm, during, f"{self.ratio:.2f}"


def p99(deliveries: Sequence[Delivery]) -> float:
    """The seconds in which all but the slowest hundredth were answered."""
    seconds = sorted(each.seconds for each in deliveries)
    return seconds[math.ceil(len(seconds) * 0.99) - 1]
