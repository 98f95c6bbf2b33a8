"""What a batch update proves about each of its inputs, and what a destination makes of that."""

from typing import cast

import pytest

from shared.activities.destination import (
    Activity,
    Change,
    Gone,
    Rejected,
    Unknown,
    Updated,
)
from shared.activities.hubspot import HubSpotDestination
from shared.hubspot.client import HubSpotClient
from shared.hubspot.errors import NotFoundError, RejectedError, UnavailableError
from shared.hubspot.models import NOTES, Engagement, UpdateAnswer
from shared.pacing.client import PacedHubSpot
from tests.hubspot.scripted import Reply, ScriptedServer

UPDATES = [
    Engagement("11", {"hs_note_body": "<p>A</p>"}),
    Engagement("12", {"hs_note_body": "<p>B</p>"}),
]


class Unpaced:
    """The client of a destination without budgets."""

    hub_id = 1
    open = may_search = wait_for_request_slot = keep_request_slot = None

    def __init__(self, client: HubSpotClient) -> None:
        self.update_engagements = client.update_engagements


def update(
    server: ScriptedServer, client: HubSpotClient, body: object, status: int = 207
) -> UpdateAnswer:
    server.then(Reply(status, body))
    return client.update_engagements(NOTES, UPDATES)


def refused(category: str, **context: object) -> dict[str, object]:
    return {"category": category, "message": "No.", "context": context}


def test_request_names_each_note_by_its_id_alone(
    server: ScriptedServer, client: HubSpotClient
) -> None:
    update(server, client, {"results": []}, 200)
    [request] = server.received
    assert (request.method, request.path) == ("POST", "/crm/objects/2026-09/notes/batch/update")
    assert request.json == {
        "inputs": [
            {"id": "11", "objectWriteTraceId": "11", "properties": {"hs_note_body": "<p>A</p>"}},
            {"id": "12", "objectWriteTraceId": "12", "properties": {"hs_note_body": "<p>B</p>"}},
        ]
    }


def test_updated_notes_come_with_the_body_that_hubspot_keeps(
    server: ScriptedServer, client: HubSpotClient
) -> None:
    results = [
        {"id": 12, "properties": {"hs_note_body": "<div>B</div>"}},
        {"id": "11", "properties": {"hs_note_body": "<p>A</p>"}},
        {"id": "99", "properties": {"hs_note_body": "nobody asked"}},
    ]
    answer = update(server, client, {"results": results}, 200)
    assert answer == UpdateAnswer(
        {
            "11": Engagement("11", {"hs_note_body": "<p>A</p>"}),
            "12": Engagement("12", {"hs_note_body": "<div>B</div>"}),
        },
        {},
        frozenset(),
    )


@pytest.mark.parametrize(
    "context", [{"objectWriteTraceId": ["12"]}, {"ids": ["12"]}, {"id": 12}, {"id": ["12"]}]
)
def test_note_that_is_gone_is_named_by_any_id(
    server: ScriptedServer, client: HubSpotClient, context: dict[str, object]
) -> None:
    body = {"results": [{"id": "11"}], "errors": [refused("OBJECT_NOT_FOUND", **context)]}
    answer = update(server, client, body)
    assert isinstance(answer.refused["12"], NotFoundError)
    assert answer.refused["12"].definite
    assert set(answer.updated) == {"11"}


@pytest.mark.parametrize("category", ["INTERNAL_ERROR", "RATE_LIMITS", ""])
def test_failure_that_is_no_refusal_leaves_its_note_unknown(
    server: ScriptedServer, client: HubSpotClient, category: str
) -> None:
    body = {"results": [{"id": "11"}], "errors": [refused(category, ids=["12"])]}
    answer = update(server, client, body)
    assert answer.missing == {"12"}
    assert not answer.refused


def test_result_outweighs_an_error(server: ScriptedServer, client: HubSpotClient) -> None:
    body = {"results": [{"id": "11"}], "errors": [refused("VALIDATION_ERROR", ids=["11"])]}
    answer = update(server, client, body)
    assert set(answer.updated) == {"11"}
    assert not answer.refused


def test_answer_without_results_leaves_all_unknown(
    server: ScriptedServer, client: HubSpotClient
) -> None:
    with pytest.raises(UnavailableError) as error:
        update(server, client, {"status": "COMPLETE"}, 200)
    assert not error.value.definite


def test_refused_batch_changed_nothing(server: ScriptedServer, client: HubSpotClient) -> None:
    with pytest.raises(RejectedError) as error:
        update(server, client, refused("VALIDATION_ERROR"), 400)
    assert error.value.definite


def test_destination_says_of_each_activity_what_became_of_it(
    server: ScriptedServer, client: HubSpotClient
) -> None:
    body = {
        "results": [{"id": "11", "properties": {"hs_note_body": "kept"}}],
        "errors": [
            refused("OBJECT_NOT_FOUND", ids=["12"]),
            refused("VALIDATION_ERROR", ids=["13"]),
            refused("INTERNAL_ERROR", ids=["14"]),
        ],
    }
    server.then(Reply(207, body))
    destination = HubSpotDestination(cast(PacedHubSpot, Unpaced(client)))
    updates = destination.update([Change(str(id_), "sent") for id_ in range(11, 16)])
    assert updates["11"] == Updated(Activity("11", "kept"))
    assert updates["12"] == Gone()
    assert isinstance(updates["13"], Rejected)
    assert (updates["14"], updates["15"]) == (Unknown(), Unknown())
