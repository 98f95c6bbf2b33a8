import requests

from sandbox.client import SandboxControl
from tests.sandbox.driving import BODY, NEW, Caller, authorize_url, call, note


def read_page(url: str) -> requests.Response:
    answer = requests.get(url, timeout=240)
    answer.raise_for_status()
    return answer


def test_note_appears_on_the_page_as_html(control: SandboxControl, caller: Caller) -> None:
    (contact_id,) = control.add_contacts(
        caller.hub_id, [{"firstname": "Ada", "lastname": "Lovelace", "phone": "2025550123"}]
    )
    assert "Nothing on the timeline yet" in read_page(caller.url).text
    caller.create_notes([note(contact_id, "<p><b>Call</b> summary</p>")])
    page = read_page(caller.url).text
    assert "Ada Lovelace" in page
    assert "<p><b>Call</b> summary</p>" in page
    assert f'href="/contacts/{caller.hub_id}/record/0-1/{contact_id}"' in page


def test_contacts_own_page_shows_its_timeline_newest_first(
    control: SandboxControl, caller: Caller
) -> None:
    (contact_id,) = control.add_contacts(caller.hub_id, [{"firstname": "Ada"}])
    caller.create_notes([note(contact_id, "older"), note(contact_id, "newer")])
    page = read_page(f"{caller.url}/contacts/{caller.hub_id}/record/0-1/{contact_id}").text
    assert page.index("newer") < page.index("older")


def test_nothing_in_a_note_may_run(caller: Caller) -> None:
    policy = read_page(caller.url).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


def test_name_of_a_contact_is_text(control: SandboxControl, caller: Caller) -> None:
    control.add_contacts(caller.hub_id, [{"firstname": "<img>"}])
    assert "&lt;img&gt;" in read_page(caller.url).text


def test_unknown_contact_has_no_page(caller: Caller) -> None:
    url = f"{caller.url}/contacts/{caller.hub_id}/record/0-1/999"
    assert requests.get(url, timeout=240).status_code == 404


def test_consent_page_offers_every_account(control: SandboxControl) -> None:
    hubs = [control.add_account(), control.add_account()]
    page = read_page(authorize_url(control.base_url)).text
    for hub_id in hubs:
        assert f'name="hub_id" value="{hub_id}"' in page
    assert 'value="allow"' in page
    assert 'value="deny"' in page


TYPE_IDS = {"notes": "0-46", "calls": "0-48"}


def page_of(caller: Caller, kind: str, activity_id: str) -> str:
    return f"{caller.url}/contacts/{caller.hub_id}/record/{TYPE_IDS[kind]}/{activity_id}"


def test_call_is_shown_as_on_hubspots_card(caller: Caller, contact_id: str) -> None:
    whole = {
        "hs_call_title": "Call about a refund",
        "hs_call_direction": "INBOUND",
        "hs_call_status": "NO_ANSWER",
        "hs_call_duration": "192000",
        "hs_call_disposition": "b2cf5968-551e-4856-9783-52b3da59a7d0",
        "hs_call_from_number": "+12025550123",
        "hs_call_to_number": "+12025550199",
        "hs_call_recording_url": "https://recordings.example.com/1.mp3?a=1&b=2",
    }
    caller.created(call(contact_id, "<p>They called back</p>", **whole), kind="calls")
    page = read_page(f"{caller.url}/contacts/{caller.hub_id}/record/0-1/{contact_id}").text
    assert "<strong>Call about a refund</strong>" in page
    facts = "Inbound · No answer · 3 min 12 s · Left voicemail · +12025550123 to +12025550199"
    assert facts in page
    assert "<p>They called back</p>" in page
    assert '<a href="https://recordings.example.com/1.mp3?a=1&amp;b=2">▶ Play recording' in page


def test_recording_that_hubspot_does_not_play_is_a_link(caller: Caller, contact_id: str) -> None:
    recording = "https://recordings.example.com/1"
    caller.created(call(contact_id, hs_call_recording_url=recording), kind="calls")
    page = read_page(caller.url).text
    assert f'<a href="{recording}">Recording (no player)' in page
    assert "▶" not in page


def test_notes_and_calls_stand_on_one_timeline(caller: Caller, contact_id: str) -> None:
    later = {"hs_timestamp": "1790000001000"}
    caller.created(note(contact_id, "a note"))
    caller.created(call(contact_id, "a later call", **later), kind="calls")
    page = read_page(f"{caller.url}/contacts/{caller.hub_id}/record/0-1/{contact_id}").text
    assert page.index("a later call") < page.index("a note")


def test_person_edits_on_the_page_and_versions_are_shown(
    control: SandboxControl, caller: Caller, contact_id: str, kind: str
) -> None:
    (one,) = caller.created(NEW[kind](contact_id, "<p>first</p>"), kind=kind)
    form = {BODY[kind]: "<p>second</p>\r\n", "do": "save"}
    answer = requests.post(page_of(caller, kind, one), data=form, timeout=240)
    assert answer.status_code == 200
    assert caller.bodies(kind, one) == ["<p>second</p>\n"]
    last = control.versions(kind, caller.hub_id, one)[-1]
    assert (last.by, last.properties) == ("person", {BODY[kind]: "<p>second</p>\n"})
    assert "&lt;p&gt;first&lt;/p&gt;" in answer.text
    assert "&lt;p&gt;second&lt;/p&gt;" in answer.text
    assert "updated by a person" in answer.text
    timeline = read_page(f"{caller.url}/contacts/{caller.hub_id}/record/0-1/{contact_id}").text
    assert "version 2, updated by a person" in timeline


def test_saving_what_stands_there_already_is_no_version(
    control: SandboxControl, caller: Caller, contact_id: str, kind: str
) -> None:
    (one,) = caller.created(NEW[kind](contact_id, "same"), kind=kind)
    requests.post(page_of(caller, kind, one), data={BODY[kind]: "same"}, timeout=240)
    assert len(control.versions(kind, caller.hub_id, one)) == 1


def test_person_deletes_and_restores_on_the_page(
    control: SandboxControl, caller: Caller, contact_id: str, kind: str
) -> None:
    (one,) = caller.created(NEW[kind](contact_id, "<p>first</p>"), kind=kind)
    contact_page = f"{caller.url}/contacts/{caller.hub_id}/record/0-1/{contact_id}"
    requests.post(page_of(caller, kind, one), data={"do": "delete"}, timeout=240)
    assert caller.read(kind, one).status_code == 207
    assert "Recycling bin" in read_page(contact_page).text
    assert "<p>first</p>" not in read_page(contact_page).text
    requests.post(page_of(caller, kind, one), data={"do": "restore"}, timeout=240)
    assert caller.bodies(kind, one) == ["<p>first</p>"]
    assert "Recycling bin" not in read_page(contact_page).text
    assert len(control.versions(kind, caller.hub_id, one)) == 3


def test_wrong_value_is_explained_on_the_page(
    control: SandboxControl, caller: Caller, contact_id: str
) -> None:
    (one,) = caller.created(call(contact_id), kind="calls")
    form = {"hs_call_status": "ENDED"}
    answer = requests.post(page_of(caller, "calls", one), data=form, timeout=240)
    assert answer.status_code == 400
    assert "ENDED was not one of the allowed options" in answer.text
    assert len(control.versions("calls", caller.hub_id, one)) == 1


def test_page_with_forms_renders_no_body(caller: Caller, contact_id: str, kind: str) -> None:
    (one,) = caller.created(NEW[kind](contact_id, "<p>first</p>"), kind=kind)
    answer = read_page(page_of(caller, kind, one))
    assert "form-action 'self'" in answer.headers["Content-Security-Policy"]
    assert "<p>first</p>" not in answer.text


def test_unknown_activity_has_no_page(caller: Caller, kind: str) -> None:
    assert requests.get(page_of(caller, kind, "999"), timeout=240).status_code == 404
