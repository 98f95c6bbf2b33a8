"""What a batch create proves about each of its inputs."""

import pytest

from shared.hubspot.client import HubSpotClient
from shared.hubspot.errors import NotFoundError, RejectedError, UnavailableError
from shared.hubspot.models import NOTES, CreateAnswer, Engagement, NewEngagement
from tests.hubspot.scripted import Reply, ScriptedServer

A = NewEngagement("hs_a", "101", 1_700_000_000_000, {"hs_note_body": "<p>A</p>"})
B = NewEngagement("hs_b", "102", 1_700_000_000_001, {"hs_note_body": "<p>B</p>"})


def create(
    server: ScriptedServer, client: HubSpotClient, body: object, status: int = 207
) -> CreateAnswer:
    server.then(Reply(status, body))
    return client.create_engagements(NOTES, [A, B])


def refused(category: object, trace_ids: object = ("hs_b",)) -> dict[str, object]:
    return {"category": category, "message": "No.", "context": {"objectWriteTraceId": trace_ids}}


def test_request_is_one_batch_with_traces_and_associations(
    server: ScriptedServer, client: HubSpotClient
) -> None:
    create(server, client, {"results": []}, 201)
    [request] = server.received
    assert (request.method, request.path) == ("POST", "/crm/objects/2026-09/notes/batch/create")
    assert isinstance(request.json, dict)
    assert len(request.json["inputs"]) == 2
    assert request.json["inputs"][0] == {
        "objectWriteTraceId": "hs_a",
        "properties": {"hs_timestamp": "1700000000000", "hs_note_body": "<p>A</p>"},
        "associations": [
            {
                "to": {"id": "101"},
                "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 202}],
            }
        ],
    }


def test_results_are_matched_by_trace_and_not_by_order(
    server: ScriptedServer, client: HubSpotClient
) -> None:
    results = [
        {"id": 2, "objectWriteTraceId": "hs_b"},
        {"id": "1", "objectWriteTraceId": "hs_a"},
    ]
    answer = create(server, client, {"results": results}, 201)
    assert answer == CreateAnswer({"hs_a": "1", "hs_b": "2"}, {}, frozenset())


def test_refused_input_does_not_fail_its_neighbour(
    server: ScriptedServer, client: HubSpotClient
) -> None:
    body = {
        "results": [{"id": "1", "objectWriteTraceId": "hs_a"}],
        "errors": [refused("VALIDATION_ERROR")],
        "numErrors": 1,
    }
    answer = create(server, client, body)
    error = answer.rejected["hs_b"]
    assert answer.created == {"hs_a": "1"}
    assert (type(error), error.message, error.status) == (RejectedError, "No.", 207)
    assert error.definite
    assert answer.missing == frozenset()


def test_refusal_for_a_missing_contact_is_told_apart(
    server: ScriptedServer, client: HubSpotClient
) -> None:
    answer = create(server, client, {"results": [], "errors": [refused("OBJECT_NOT_FOUND")]})
    assert isinstance(answer.rejected["hs_b"], NotFoundError)


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(refused("INTERNAL_ERROR"), id="HubSpot failed"),
        pytest.param(refused("RATE_LIMITS"), id="limit"),
        pytest.param(refused(None), id="no category"),
        pytest.param(refused("VALIDATION_ERROR", []), id="no trace"),
        pytest.param(refused("VALIDATION_ERROR", ["hs_other"]), id="another's trace"),
        pytest.param(refused("VALIDATION_ERROR", 7), id="trace of a wrong type"),
        pytest.param({"category": "VALIDATION_ERROR"}, id="no context"),
        pytest.param("nonsense", id="not an object"),
    ],
)
def test_error_that_is_no_certain_refusal_leaves_inputs_missing(
    item: object, server: ScriptedServer, client: HubSpotClient
) -> None:
    results = [{"id": "1", "objectWriteTraceId": "hs_a"}]
    answer = create(server, client, {"results": results, "errors": [item]})
    assert answer.created == {"hs_a": "1"}
    assert answer.rejected == {}
    assert answer.missing == {"hs_b"}


def test_note_id_outweighs_an_error(server: ScriptedServer, client: HubSpotClient) -> None:
    results = [{"id": "2", "objectWriteTraceId": "hs_b"}]
    errors = [refused("VALIDATION_ERROR")]
    answer = create(server, client, {"results": results, "errors": errors})
    assert answer.created == {"hs_b": "2"}
    assert answer.rejected == {}


def test_note_without_our_trace_is_handed_over_and_its_input_missing(
    server: ScriptedServer, client: HubSpotClient
) -> None:
    results = [
        {"id": "1", "properties": {"hs_note_body": "<p>A</p>"}},
        {"id": "2", "objectWriteTraceId": "hs_b"},
        {"id": "3", "objectWriteTraceId": "hs_b"},
        {"objectWriteTraceId": "hs_a"},
    ]
    answer = create(server, client, {"results": results}, 201)
    assert answer.created == {"hs_b": "2"}
    assert answer.unmatched == (Engagement("1", {"hs_note_body": "<p>A</p>"}), Engagement("3"))
    assert answer.missing == {"hs_a"}


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"results": {}}'])
def test_success_without_results_leaves_the_whole_batch_ambiguous(
    body: bytes, server: ScriptedServer, client: HubSpotClient
) -> None:
    server.then(Reply(201, body))
    with pytest.raises(UnavailableError) as caught:
        client.create_engagements(NOTES, [A, B])
    assert not caught.value.definite
