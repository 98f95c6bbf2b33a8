"""The scenes of the demo, played on a running service; what goes wrong is switched on by us."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from local.demo import cast
from local.demo.cast import DemoCall
from local.producer import Acceptance, Producer
from local.visitor import Visitor
from sandbox.client import SandboxControl
from shared.reasons import Reason, Status

POLL_SECONDS = 0.2
SETTLE_SECONDS = 60.0
# The second look comes 30 s after the first, and each waits up to 5 s for others to be asked with.
SECOND_LOOK_SECONDS = 90.0
BURST = 3

Log = Mapping[str, Any]


@dataclass(frozen=True)
class Stage:
    """What the show is played on."""

    producer: Producer
    visitor: Visitor
    sandbox: SandboxControl
    user_id: str
    workspace_id: str


class Show:
    """Plays every scene in order.

    Attributes:
        hub_id: the HubSpot account.
        contact_ids: ids in HubSpot by name.
        webhooks: how many webhooks were accepted.
        surprises: what did not happen as it should, in words.
    """

    def __init__(self, console: Console, stage: Stage) -> None:
        self._console = console
        self._stage = stage
        # Without a host of its own the account's pages are where HubSpot is: in the sandbox.
        self.hub_id = stage.sandbox.add_account(ui_domain="")
        self.contact_ids = self._add_contacts()
        self.webhooks = 0
        self.surprises: list[str] = []

    def play(self) -> None:
        """Play all scenes.

        Raises:
            VisitError, WebhookRefusedError, requests.RequestException: The show cannot go on.
        """
        self._calls_before_connecting()
        self._connecting()
        self._unknown_number()
        self._spellings()
        self._expired_token()
        self._burst()
        self._lost_answer()
        self._copy()
        self._growing()
        self._second_look()

    def logs(self) -> dict[str, Log]:
        """The sync log over the API, by call id."""
        page = self._stage.visitor.get("/api/hubspot/sync-logs", limit=200)
        return {log["call_id"]: log for log in page["logs"]}

    def _calls_before_connecting(self) -> None:
        self._say(f"{len(cast.EARLY)} calls end while HubSpot is not connected")
        self._post(*cast.EARLY)
        self._wait(
            cast.EARLY,
            lambda log: log["error_code"] == Reason.NOT_CONNECTED,
            "logged as not connected",
        )

    def _connecting(self) -> None:
        self._say(
            "HubSpot is connected by OAuth: the waiting calls are synced as one batch,"
            " of which HubSpot refuses one note"
        )
        self._stage.visitor.patch(
            "/api/hubspot/settings", {"match_policy": "skip", "default_region": "US"}
        )
        refusal = self._stage.sandbox.add_fault(
            "notes.batch_create",
            "partial",
            times=1,
            containing=cast.REFUSED.call_id,
            message="The note lacks a property that this account requires",
        )
        self._stage.visitor.connect(self._stage.sandbox, self.hub_id)
        self._wait(cast.EARLY, _is_final, "synced after connecting")
        self._expect(self._stage.sandbox.struck(refusal) == 1, "no note was refused")
        batches = [
            each.inputs
            for each in self._stage.sandbox.requests(hub_id=self.hub_id)
            if each.endpoint == "notes.batch_create"
        ]
        self._expect(batches == [len(cast.EARLY)], f"the batches had {batches} notes")

    def _unknown_number(self) -> None:
        self._say("A number that nobody has: HubSpot's index may lag, so it is looked up twice")
        self._post(cast.UNKNOWN)
        self._wait(
            [cast.UNKNOWN],
            lambda log: (
                log["status"] == Status.PENDING and log["error_code"] == Reason.CONTACT_NOT_FOUND
            ),
            "still pending after the first look",
        )

    def _spellings(self) -> None:
        self._say("Numbers in three spellings, one that two contacts share, one withheld")
        calls = (*cast.SPELLED, cast.AMBIGUOUS, cast.WITHHELD)
        self._post(*calls)
        self._wait(calls, _is_final, "decided")

    def _expired_token(self) -> None:
        self._say("The access token expires before its time: it is refreshed in mid-run")
        sandbox = self._stage.sandbox
        last = max(each.number for each in sandbox.requests())
        self._expect(sandbox.expire_tokens(self.hub_id) > 0, "there was no token to expire")
        self._post(cast.AFTER_EXPIRY)
        self._wait([cast.AFTER_EXPIRY], _is_final, "synced with a new token")
        answers = [(each.endpoint, each.status) for each in sandbox.requests(after=last)]
        refused = any(status == 401 for _, status in answers)  # noqa: PLR2004 - HTTP's own number
        self._expect(refused and ("oauth.token", 200) in answers, "no token was refreshed")

    def _burst(self) -> None:
        self._say(f"HubSpot answers the next {BURST} searches with 429: the call waits its turn")
        limit = self._stage.sandbox.add_fault(
            "contacts.search", "rate_limited", times=BURST, policyName="SECONDLY"
        )
        self._post(cast.IN_BURST)
        self._wait([cast.IN_BURST], _is_final, "synced after the burst")
        struck = self._stage.sandbox.struck(limit)
        self._expect(struck == BURST, f"{struck} searches were answered with 429")

    def _lost_answer(self) -> None:
        self._say("HubSpot writes a note, but the answer is lost: HubSpot is read before a retry")
        loss = self._stage.sandbox.add_fault("notes.batch_create", "reset_after", times=1)
        self._post(cast.UNANSWERED)
        self._wait([cast.UNANSWERED], _is_final, "found again in HubSpot")
        self._expect(self._stage.sandbox.struck(loss) == 1, "no answer was lost")

    def _copy(self) -> None:
        self._say("A webhook is delivered twice: both are the same call")
        first, second = self._post(cast.TWICE, cast.TWICE)
        self._expect(
            not first.is_duplicate and second.is_duplicate and first.log_id == second.log_id,
            "the second delivery was not recognised",
        )
        self._wait([cast.TWICE], _is_final, "synced")

    def _growing(self) -> None:
        self._say("A call ends, and its summary comes later: the same note is completed")
        self._post(cast.GROWING, has_ended_only=True)
        self._wait([cast.GROWING], _is_final, "synced without its summary")
        (later,) = self._post(cast.GROWING)
        self._expect(later.is_updated, "the summary was not recognised as news of the call")
        self._wait([cast.GROWING], self._has_summary, "completed with its summary")

    def _has_summary(self, log: Log) -> bool:
        notes = self._stage.sandbox.notes(self.hub_id)
        return any(
            note.id == log["engagement_id"] and cast.GROWING.summary in note.body for note in notes
        )

    def _second_look(self) -> None:
        self._say("The second look for the unknown number comes 30 s after the first")
        self._wait(
            [cast.UNKNOWN], _is_final, "decided by the second look", seconds=SECOND_LOOK_SECONDS
        )

    def _add_contacts(self) -> dict[str, str]:
        people = []
        for name, phones in cast.CONTACTS.items():
            first, _, last = name.partition(" ")
            people.append({"firstname": first, "lastname": last, **phones})
        ids = self._stage.sandbox.add_contacts(self.hub_id, people)
        return dict(zip(cast.CONTACTS, ids, strict=True))

    def _post(self, *calls: DemoCall, has_ended_only: bool = False) -> list[Acceptance]:
        answers = []
        for call in calls:
            summary = None if has_ended_only else call.summary
            answers.append(
                self._stage.producer.post_call(
                    {
                        "call_id": call.call_id,
                        "user_id": self._stage.user_id,
                        "workspace_id": self._stage.workspace_id,
                        "phone_number": call.number,
                        "direction": "inbound",
                        "duration_seconds": 180,
                        "summary": summary,
                        "agent_name": "Demo agent",
                    }
                )
            )
            self.webhooks += 1
        return answers

    def _wait(
        self,
        calls: Collection[DemoCall],
        is_reached: Callable[[Log], bool],
        what: str,
        *,
        seconds: float = SETTLE_SECONDS,
    ) -> None:
        deadline = time.monotonic() + seconds
        with self._console.status(f"waiting: {what} …"):
            while True:
                logs = self.logs()
                waiting = [
                    call.call_id
                    for call in calls
                    if call.call_id not in logs or not is_reached(logs[call.call_id])
                ]
                if not waiting:
                    return
                if time.monotonic() > deadline:
                    self.surprises.append(
                        f"not {what} within {seconds:.0f} s: {', '.join(waiting)}"
                    )
                    return
                time.sleep(POLL_SECONDS)

    def _expect(self, is_so: bool, surprise: str) -> None:
        if not is_so:
            self.surprises.append(surprise)

    def _say(self, text: str) -> None:
        self._console.print(f"• {text}", highlight=False)


def _is_final(log: Log) -> bool:
    return bool(log["status"] != Status.PENDING)
