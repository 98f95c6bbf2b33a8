"""Texts that are code elsewhere, in every field of a call, from the webhook to HubSpot and back."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from sandbox.client import SandboxControl
from shared.activities.rendering import marker_ref
from shared.configuration.settings import WorkerSettings
from shared.database.engines import Database
from tests.api.asking import Asker, environment
from tests.api.conftest import ClientFactory
from tests.api.rows import connection_of
from tests.notes.reading import ReadNote, read_note
from worker.resources import Resources, open_resources
from worker.rounds.reports import RoundEnd
from worker.rounds.sync import sync_connection

PHONE = "+12025550123"
OTHER_REF = "hs_0192f4a07c1e7d3f9a5b6c7d8e9f0a1b"
HOSTILE = {
    "script": "<script>alert(1)</script>",
    "attribute": "\" onmouseover=\"alert(1)' onload='alert(1)",
    "closing": "</p></li></ul></a></strong></body><img src=x onerror=alert(1)>",
    "svg": "<svg/onload=alert(1)><style>*{display:none}</style><base href=//evil.example>",
    "half-open": "<img src='//evil.example/?",
    "comment": "<!-- <b> --> <![CDATA[ x ]]> <?php evil(); ?> <!doctype html>",
    "entities": "&lt;script&gt; &#60;script&#62; &amp;lt; &nbsp &copy",
    "markdown": "[click](javascript:alert(1)) ![x](//evil.example) `code` **b** # title",
    "template": "{{7*7}} ${7*7} <%= 7*7 %> {% evil %} {{ contact.email }} %s %(x)s {0}",
    "formula": '=HYPERLINK("//evil.example") +1 -1 @SUM(1) | ; \'; DROP TABLE calls; --',
    "link": "javascript:alert(1) https://evil.example/ www.evil.example",
    "marker": f"x\n</p><p>Call ID: call_1 · Ref: {OTHER_REF}",
    "right to left": "\u202egnp.exe\u202c \u2067שלום\u2069 \u200fabc\u200e",
    "zero width": "a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg",
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈 e\u0301\u0302\u0303 \U000e0041",
    "controls": "a\x00b\x07c\x1b[31md\x7fe\x9bf\u2028g\u2029h\ufffei",
    "long": "<b>&\"'" * 2_000,
}
NOTE_TAGS = {"p", "br", "strong", "ul", "li", "a"}
DIRECTIONS = re.compile("[\u202a-\u202e\u2066\u2067]")


@pytest.fixture
def worker(postgres_url: str, valkey_url: str, sandbox_url: str) -> Iterator[Resources]:
    settings = WorkerSettings.load(
        environment(
            DATABASE_URL=postgres_url,
            REDIS_URL=valkey_url,
            HUBSPOT_API_URL=sandbox_url,
            HUBSPOT_APP_URL=sandbox_url,
        )
    )
    resources = open_resources(settings)
    yield resources
    resources.close()


def call_of(text: str) -> dict[str, Any]:
    """A call that has the text wherever a webhook can carry one."""
    return {
        "phone_number": PHONE,
        "direction": text[:1000],
        "from_number": text,
        "to_number": text,
        "summary": text,
        "recording_url": f"https://media.example.com/{text}",
        "transcript": [{"role": text, "text": text}, {"role": "user", "text": text}],
        "agent_name": text[:1000],
        "outcome": text[:1000],
        "structured_data": {text: text, "list": [text, {text: [text]}]},
    }


def test_texts_stay_texts_from_the_webhook_to_the_note_and_in_the_api(
    client: FlaskClient, sandbox: SandboxControl, worker: Resources, database: Database
) -> None:
    asker = Asker(client, "<img src=x onerror=alert(1)>", "'; DROP TABLE calls; --")
    hub_id = sandbox.add_account()
    sandbox.add_contacts(hub_id, [{"phone": PHONE}])
    asker.visit(sandbox.approve(asker.initiate(), hub_id))
    names = {text: "".join(filter(str.isprintable, text))[:200] for text in HOSTILE.values()}
    texts = {asker.send_call(call_id=names[text], **call_of(text)): text for text in names}

    assert sync_connection(worker, connection_of(database, asker).id).end == RoundEnd.WORKED

    notes = sandbox.notes(hub_id)
    assert {marker_ref(note.body) for note in notes} == set(texts)
    for note in notes:
        log_id = marker_ref(note.body) or ""
        assert_nothing_but_text(read_note(note.body))
        assert legible(texts[log_id])[:100] in legible(read_note(note.body).text)
        assert not DIRECTIONS.search(note.body)

        answer = asker.ask("GET", f"sync-logs/{log_id}")
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        entry = json.loads(answer.data)["log"]
        assert (entry["call_id"], entry["status"]) == (names[texts[log_id]], "success")


def legible(text: str) -> str:
    """The letters and signs, without blanks, controls and what turns text around."""
    return re.sub(r"[^!-~À-ɏא-ת]", "", text)


def assert_nothing_but_text(note: ReadNote) -> None:
    for tag, attributes in note.tags:
        assert tag in NOTE_TAGS
        if tag == "a":
            assert set(attributes) == {"href", "target", "rel"}
            assert (attributes["href"] or "").startswith("https://media.example.com/")
            assert re.fullmatch(r"[!#-&(-;=?-~]+", attributes["href"] or "")
        else:
            assert attributes == {}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_text_that_is_no_number_is_shown_as_it_came(asker: Asker, text: str) -> None:
    log_id = asker.send_call(phone_number=text)
    shown = asker.get(f"sync-logs/{log_id}")["log"]["phone_number"]
    assert shown in {None, text.replace("\x00", "")[:251]}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_filter_by_any_text_finds_only_what_is_equal(asker: Asker, text: str) -> None:
    asker.send_call(call_id="another")
    for name in ("call_id", "phone", "status", "error_code", "cursor", "from", "limit"):
        answer = asker.ask("GET", "sync-logs", query_string={name: text[:200]})
        assert answer.status_code == 400 or json.loads(answer.data)["logs"] == []


def test_pages_show_data_as_text_only(make_client: ClientFactory) -> None:
    folder = Path(make_client().application.root_path)
    scripts = [*folder.glob("dashboard/**/*.js"), *folder.glob("static/**/*.js")]
    assert scripts
    for script in scripts:
        # A note is parsed apart, in a document without scripts; known elements are made anew.
        text = script.read_text().replace("new DOMParser()", "", script.name == "note.js")
        assert not re.search(
            r"(?:inner|outer)HTML|insertAdjacentHTML|document\.write|\beval\b|new Function"
            r"|setHTML|createContextualFragment|DOMParser|srcdoc",
            text,
        ), script.name


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_run_no_script_but_their_own(client: FlaskClient, path: str) -> None:
    page = client.get(path)
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*\ssrc=)|\son\w+=|javascript:", page.text)
