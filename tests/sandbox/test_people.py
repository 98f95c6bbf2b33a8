"""People who edit, delete and restore what the app wrote, and what updates do to their edits."""

import pytest
import requests

from sandbox.client import SandboxControl
from tests.sandbox.driving import BODY, NEW, Caller, Clock, call, change

OURS = "<p><b>Summary</b><br>They will call back.</p><p>Call ID: c-1</p>"
EDITED = (
    "<p><b>Summary</b><br>They will call back.</p><p>Bring the contract!</p><p>Call ID: c-1</p>"
)
COMPLETED = OURS.replace(
    "<p>Call ID", '<p><a href="https://x.example/1">Recording</a></p><p>Call ID'
)


@pytest.fixture
def one(caller: Caller, contact_id: str, kind: str) -> str:
    """The id of a note or call that the app wrote."""
    return caller.created(NEW[kind](contact_id, OURS), kind=kind)[0]


class Story:
    """One activity, its person and its app."""

    def __init__(self, control: SandboxControl, caller: Caller, kind: str, one: str) -> None:
        self.control, self.caller, self.kind, self.one = control, caller, kind, one

    def edit(self, body: str) -> None:
        self.control.edit(self.kind, self.caller.hub_id, self.one, **{BODY[self.kind]: body})

    def read(self) -> str:
        return self.caller.bodies(self.kind, self.one)[0]

    def write(self, body: str) -> None:
        answer = self.caller.batch(
            self.kind, "update", [change(self.one, **{BODY[self.kind]: body})]
        )
        assert answer.status_code == 200, answer.text

    def lost(self) -> list[tuple[int, bool]]:
        """Return which versions of the person were lost, and whether they had been read."""
        return [(one.version, one.was_read) for one in self.control.lost_edits(self.caller.hub_id)]

    def counts(self) -> tuple[int, int]:
        (hub,) = self.control.state()["hubs"]
        return hub["edits_lost"], hub["unread_edits_lost"]


@pytest.fixture
def story(control: SandboxControl, caller: Caller, kind: str, one: str) -> Story:
    return Story(control, caller, kind, one)


def test_versions_say_who_changed_what_and_when(
    control: SandboxControl, clock: Clock, story: Story
) -> None:
    clock.advance(10)
    story.edit(EDITED)
    clock.advance(10)
    story.write(COMPLETED)
    versions = control.versions(story.kind, story.caller.hub_id, story.one)
    assert [(one.number, one.by, one.action) for one in versions] == [
        (1, "app", "created"),
        (2, "person", "updated"),
        (3, "app", "updated"),
    ]
    assert [one.properties[BODY[story.kind]] for one in versions] == [OURS, EDITED, COMPLETED]
    first, second, third = (one.at_ms for one in versions)
    assert (second - first, third - second) == (10_000, 10_000)


def test_app_reads_what_a_person_saved(story: Story) -> None:
    story.edit(EDITED)
    assert story.read() == EDITED


def test_history_of_a_property_tells_people_from_integrations(story: Story) -> None:
    story.edit(EDITED)
    name = BODY[story.kind]
    path = f"/crm/objects/2026-09/{story.kind}/{story.one}?propertiesWithHistory={name}"
    history = story.caller.call("GET", path).json()["propertiesWithHistory"][name]
    assert [(one["value"], one["sourceType"]) for one in history] == [
        (EDITED, "CRM_UI"),
        (OURS, "INTEGRATION"),
    ]


def test_deleted_one_is_gone_until_it_is_restored(
    control: SandboxControl, caller: Caller, contact_id: str, story: Story
) -> None:
    control.delete(story.kind, caller.hub_id, story.one)
    assert caller.read(story.kind, story.one).status_code == 207
    assert caller.update(story.kind, story.one, **{BODY[story.kind]: "x"}).status_code == 404
    associations = f"/crm/objects/2026-09/contacts/{contact_id}/associations/{story.kind}"
    assert caller.call("GET", associations).json()["results"] == []
    assert [kept.id for kept in control.activities(story.kind, caller.hub_id, archived=True)] == [
        story.one
    ]
    control.restore(story.kind, caller.hub_id, story.one)
    assert story.read() == OURS
    assert [one["toObjectId"] for one in caller.call("GET", associations).json()["results"]] == [
        int(story.one)
    ]
    actions = [one.action for one in control.versions(story.kind, caller.hub_id, story.one)]
    assert actions == ["created", "deleted", "restored"]


def test_one_deleted_by_the_app_can_be_restored_too(control: SandboxControl, story: Story) -> None:
    story.caller.batch(story.kind, "archive", [{"id": story.one}])
    last = control.versions(story.kind, story.caller.hub_id, story.one)[-1]
    assert (last.by, last.action) == ("app", "deleted")
    control.restore(story.kind, story.caller.hub_id, story.one)
    assert story.read() == OURS


def test_restored_one_does_not_return_to_a_contact_that_was_deleted_meanwhile(
    control: SandboxControl, caller: Caller, contact_id: str, story: Story
) -> None:
    control.delete(story.kind, caller.hub_id, story.one)
    control.archive_contact(caller.hub_id, contact_id)
    control.restore(story.kind, caller.hub_id, story.one)
    (kept,) = control.activities(story.kind, caller.hub_id)
    assert kept.contact_ids == ()


def test_edit_of_an_unknown_property_is_refused(control: SandboxControl, story: Story) -> None:
    with pytest.raises(requests.HTTPError):
        control.edit(story.kind, story.caller.hub_id, story.one, colour="red")
    assert len(control.versions(story.kind, story.caller.hub_id, story.one)) == 1


def test_markup_of_a_person_is_kept_as_the_editor_wrote_it(story: Story) -> None:
    table = "<table><tbody><tr><td>1</td></tr></tbody></table>"
    story.edit(table)
    assert story.read() == table


def test_version_read_last_is_known(control: SandboxControl, story: Story) -> None:
    def read_version() -> int:
        return control.read_version(story.kind, story.caller.hub_id, story.one)

    # The answer to the create shows the body.
    assert read_version() == 1
    story.edit(EDITED)
    assert read_version() == 1
    story.read()
    assert read_version() == 2


def test_read_of_other_properties_is_no_read_of_the_body(
    control: SandboxControl, story: Story
) -> None:
    story.edit(EDITED)
    story.caller.read(story.kind, story.one, properties=["hs_timestamp"])
    assert control.read_version(story.kind, story.caller.hub_id, story.one) == 1


@pytest.mark.parametrize("fault", ["reset_after", "garbage"])
def test_read_whose_answer_was_lost_is_none(
    control: SandboxControl, story: Story, fault: str
) -> None:
    story.edit(EDITED)
    control.add_fault(f"{story.kind}.batch_read", fault, times=1)
    with pytest.raises(requests.RequestException):
        story.read()
    assert control.read_version(story.kind, story.caller.hub_id, story.one) == 1


def test_edit_that_an_update_keeps_is_not_lost(story: Story) -> None:
    story.edit(EDITED)
    story.write(story.read().replace("<p>Call ID", "<p>Recording</p><p>Call ID"))
    assert story.lost() == []


def test_edit_that_was_read_and_is_overwritten_is_lost(story: Story) -> None:
    story.edit(EDITED)
    story.read()
    story.write(COMPLETED)
    assert story.lost() == [(2, True)]
    assert story.counts() == (1, 0)
    (lost,) = story.control.lost_edits(story.caller.hub_id)
    assert (lost.activity, lost.id) == (story.kind, story.one)
    assert lost.texts == ("Bring the contract!",)
    assert lost.read_version == 2


def test_edit_that_was_saved_after_the_read_is_counted_apart(clock: Clock, story: Story) -> None:
    story.read()
    clock.advance(1)
    story.edit(EDITED)
    clock.advance(1.5)
    story.write(COMPLETED)
    assert story.lost() == [(2, False)]
    assert story.counts() == (0, 1)
    (lost,) = story.control.lost_edits(story.caller.hub_id)
    assert lost.age_ms == 1500


def test_lost_edit_is_counted_once(story: Story) -> None:
    story.edit(EDITED)
    story.read()
    story.write(COMPLETED)
    story.write(OURS)
    assert story.lost() == [(2, True)]


def test_of_two_edits_only_the_one_that_was_read_breaks_the_promise(story: Story) -> None:
    story.edit(EDITED)
    story.read()
    story.edit(EDITED.replace("<p>Call ID", "<p>Second thought</p><p>Call ID"))
    story.write(COMPLETED)
    assert story.lost() == [(2, True), (3, False)]


def test_line_that_a_person_removed_must_not_come_back(story: Story) -> None:
    story.edit(OURS.replace("<br>They will call back.", ""))
    story.read()
    story.write(COMPLETED)
    assert story.lost() == [(2, True)]


def test_word_changed_by_a_person_must_stay(story: Story) -> None:
    story.edit(OURS.replace("call back", "write back"))
    story.read()
    story.write(COMPLETED)
    assert story.lost() == [(2, True)]


def test_new_section_under_the_heading_of_a_removed_one_is_no_return(story: Story) -> None:
    story.edit("<p>Call ID: c-1</p>")
    story.read()
    story.write("<p><b>Summary</b><br>They want a refund.</p><p>Call ID: c-1</p>")
    assert story.lost() == []
    story.write(OURS)
    assert story.lost() == [(2, True)]


def test_one_of_two_sections_that_were_removed_together_must_not_come_back(story: Story) -> None:
    details = "<p><b>Details</b><br>intent: refund</p>"
    story.write(OURS.replace("<p>Call ID", f"{details}<p>Call ID"))
    story.edit("<p>Call ID: c-1</p>")
    story.read()
    story.write(f"{details}<p>Call ID: c-1</p>")
    assert story.lost() == [(3, True)]


def test_edit_that_a_person_took_back_is_not_missed(story: Story) -> None:
    story.edit(EDITED)
    story.edit(OURS)
    story.read()
    story.write(COMPLETED)
    assert story.lost() == []


def test_link_that_a_person_changed_must_stay(story: Story) -> None:
    story.write(COMPLETED)
    story.edit(COMPLETED.replace("https://x.example/1", "https://archive.example/1"))
    story.read()
    story.write(COMPLETED)
    assert story.lost() == [(3, True)]


@pytest.mark.parametrize("normalises", [False, True])
def test_markup_alone_is_no_edit(
    control: SandboxControl, story: Story, *, normalises: bool
) -> None:
    control.set_behaviour(normalises_html=normalises)
    story.edit(OURS.replace("<b>", "<em>").replace("</b>", "</em>").replace("<p>", '<p dir="x">'))
    story.read()
    story.write(COMPLETED)
    assert story.lost() == []


def test_update_that_was_sent_before_the_read_is_judged_by_what_was_read_before_it(
    control: SandboxControl, story: Story
) -> None:
    fault_id = control.add_fault(f"{story.kind}.batch_update", "held", times=1, where="unanswered")
    answer = story.caller.batch(
        story.kind, "update", [change(story.one, **{BODY[story.kind]: COMPLETED})]
    )
    assert answer.status_code == 504
    story.edit(EDITED)
    story.read()
    control.release(fault_id)
    assert story.lost() == [(2, False)]


def test_value_that_a_person_gave_to_a_property_of_a_call_must_stay(
    control: SandboxControl, caller: Caller, contact_id: str
) -> None:
    (one,) = caller.created(call(contact_id, hs_call_title="Call"), kind="calls")
    control.edit("calls", caller.hub_id, one, hs_call_title="Angry call", hs_call_status="BUSY")
    caller.read("calls", one, properties=["hs_call_title"])
    caller.update("calls", one, hs_call_body="new", hs_call_title="Angry call")
    assert control.lost_edits(caller.hub_id) == []
    caller.update("calls", one, hs_call_title="Call", hs_call_status="COMPLETED")
    (lost,) = control.lost_edits(caller.hub_id)
    assert (lost.texts, lost.was_read) == (("Angry call", "BUSY"), False)


def test_value_that_a_person_cleared_may_be_filled(
    control: SandboxControl, caller: Caller, contact_id: str
) -> None:
    (one,) = caller.created(call(contact_id, hs_call_title="Call"), kind="calls")
    control.edit("calls", caller.hub_id, one, hs_call_title="")
    caller.update("calls", one, hs_call_title="Call about a refund")
    assert control.lost_edits(caller.hub_id) == []
