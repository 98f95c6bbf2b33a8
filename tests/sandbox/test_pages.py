import requests

from sandbox.client import SandboxControl
from tests.sandbox.driving import Caller, authorize_url, note


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
