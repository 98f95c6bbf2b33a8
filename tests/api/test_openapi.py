"""The OpenAPI document: sound, complete, and true, down to its examples."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest
from flask.testing import FlaskClient
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate
from werkzeug.test import TestResponse

from api.app import describe_api
from api.log.entries import LOG_ID
from sandbox.client import SandboxControl
from shared.database.engines import Database
from tests.api.asking import PUBLIC_URL, Asker, signed_headers
from tests.api.conftest import ClientFactory
from tests.api.provocations import PROVOCATIONS, World
from tests.api.rows import add_attempt, add_log

DOCUMENT: Final = describe_api(PUBLIC_URL)
OPERATIONS: Final = {
    operation["operationId"]: (method, path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
PAGES: Final = {"getDocs 200", "getDashboard 200", "finishHubSpotOAuth 200"}
# Pages, what they load, the client that is made from this document, and what POST does too.
UNDESCRIBED: Final = {
    "docs.send_asset",
    "deliveries.receive_delivery_in_query",
    "dashboard.send_file",
    "dashboard.show_example",
    "dashboard.show_landed",
}
REQUESTS: Final = [
    (name, example)
    for name, (_, _, operation) in OPERATIONS.items()
    for content in operation.get("requestBody", {}).get("content", {}).values()
    for example in content["examples"]
]
ERRORS: Final = [
    (component, code)
    for component, response in DOCUMENT["components"]["responses"].items()
    for content in response.get("content", {}).values()
    for code in content["examples"]
]


def resolve(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference to a component stands for."""
    if "$ref" not in part:
        return part
    found: Any = DOCUMENT
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return dict(found)


def check(value: object, schema: Mapping[str, Any]) -> None:
    """Require that a value is what a schema of the document says."""
    OAS31Validator({**schema, "components": DOCUMENT["components"]}).validate(value)


def answers() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every answer's content, by where it is."""
    for name, (_, _, operation) in OPERATIONS.items():
        for status, response in operation["responses"].items():
            for content in resolve(response).get("content", {}).values():
                yield f"{name} {status}", content


def test_document_is_sound() -> None:
    validate(DOCUMENT)


def test_document_is_what_is_served(client: FlaskClient) -> None:
    assert client.get("/openapi.json").json == json.loads(json.dumps(DOCUMENT))


def test_every_route_is_described(client: FlaskClient) -> None:
    routes = {
        (method.lower(), rule.rule.replace("<", "{").replace(">", "}"))
        for rule in client.application.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint not in UNDESCRIBED
    }
    assert {(method, path) for method, path, _ in OPERATIONS.values()} == routes


def test_operations_have_names_that_code_can_have() -> None:
    assert len(OPERATIONS) == sum(map(len, DOCUMENT["paths"].values()))
    assert all(re.fullmatch(r"[a-z][A-Za-z]+", name) for name in OPERATIONS)


def test_everything_is_said_in_words() -> None:
    tags = {tag["name"] for tag in DOCUMENT["tags"] if tag["description"]}
    for _, path, operation in OPERATIONS.values():
        assert set(operation["tags"]) <= tags, path
        assert operation["summary"], path
        assert operation["description"].endswith("."), path
        assert all(each["description"] for each in operation["parameters"]), path
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert schema["description"], name
        for field, described in schema.get("properties", {}).items():
            is_named = "$ref" in json.dumps(described)
            assert is_named or described.get("description"), f"{name}.{field}"


def test_who_may_ask_is_always_said() -> None:
    for _, path, operation in OPERATIONS.values():
        has_guard = (
            path.startswith(("/api/hubspot/", "/api/call-sources"))
            and "302" not in operation["responses"]
        )
        assert (operation["security"] == [{"bearer": []}]) == has_guard, path
        assert ("401" in operation["responses"]) == bool(operation["security"]), path


def test_schemas_speak_as_the_api_does() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert "tokenExpiresAt" in schemas["ConnectionStatus"]["properties"]
    assert schemas["EndedCall"]["required"] == ["call_id", "user_id", "workspace_id"]
    assert schemas["Statistics"]["required"] == ["success", "bucket", "from", "to", "points"]
    logs = DOCUMENT["paths"]["/api/hubspot/sync-logs"]["get"]
    names = {each["name"] for each in logs["parameters"] if each["in"] == "query"}
    assert names == {
        *("status", "error_code", "update", "call_id", "phone", "from", "to"),
        *("ids", "limit", "offset", "cursor"),
    }


def test_every_request_and_answer_has_an_example() -> None:
    for name, (_, _, operation) in OPERATIONS.items():
        for content in operation.get("requestBody", {}).get("content", {}).values():
            assert content["examples"], name
    for place, content in answers():
        assert content.get("examples") or place in PAGES


def test_examples_of_answers_are_what_their_schemas_say() -> None:
    for place, content in answers():
        for name, example in content.get("examples", {}).items():
            if "$ref" in json.dumps(content["schema"]):
                check(example["value"], content["schema"])
            else:
                assert isinstance(example["value"], str), (place, name)


@pytest.fixture
def world(
    make_client: ClientFactory, valkey_url: str, sandbox: SandboxControl, database: Database
) -> World:
    """A user who is connected, and the means to break everything around them."""
    asker = Asker(make_client(REDIS_URL=valkey_url))
    world = World(asker, make_client, sandbox, database)
    asker.visit(sandbox.approve(asker.initiate(), world.hub_id))
    return world


def send(world: World, name: str, **request: Any) -> TestResponse:
    """Send a request of an operation as its user; log ids are those of an entry of theirs."""
    method, path, operation = OPERATIONS[name]
    if "{log_id}" in path:
        log_id = add_log(world.database, world.asker, status="error", phone_number="+12025550123")
        add_attempt(world.database, log_id, http_status=502, correlation_id="abc")
        path = path.replace("{log_id}", log_id)
    if "{source_id}" in path:
        if "{vendor}" in path:
            return world.deliver()
        path = path.replace("{source_id}", world.add_source()["id"])
    headers = {**world.asker.headers, "Sec-Fetch-Site": "same-origin"}
    if operation["security"] == [{"signature": []}]:
        headers = signed_headers(request["data"]) | {"Content-Type": "application/json"}
    return world.asker.client.open(
        path, method=method, headers=headers, base_url=PUBLIC_URL, **request
    )


def require_documented(name: str, answer: TestResponse) -> None:
    """Require the success that is documented."""
    responses = OPERATIONS[name][2]["responses"]
    assert str(answer.status_code) in {each for each in responses if each < "304"}, answer.text
    response = responses[str(answer.status_code)]
    assert set(response.get("headers", {})) <= set(answer.headers.keys())
    for media_type, content in response.get("content", {}).items():
        assert answer.mimetype == media_type
        check(answer.json if "json" in media_type else answer.text, content["schema"])


@pytest.mark.parametrize(("name", "example"), REQUESTS)
def test_example_of_a_request_succeeds(world: World, name: str, example: str) -> None:
    ((media_type, content),) = OPERATIONS[name][2]["requestBody"]["content"].items()
    value = content["examples"][example]["value"]
    if "json" in media_type:
        check(value, content["schema"])
        request = {"data": json.dumps(value).encode()}
    else:
        request = {"data": value}
    require_documented(name, send(world, name, **request))


@pytest.mark.parametrize(
    "name", [name for name, (_, _, each) in OPERATIONS.items() if "requestBody" not in each]
)
def test_example_of_a_query_succeeds(world: World, name: str) -> None:
    examples = {
        each["name"]: each["example"]
        for each in OPERATIONS[name][2]["parameters"]
        if "example" in each
    }
    require_documented(name, send(world, name, query_string=examples))


@pytest.mark.parametrize(
    "name", [name for name, (_, _, each) in OPERATIONS.items() if "304" in each["responses"]]
)
def test_answer_with_a_tag_is_sent_once(world: World, name: str) -> None:
    log_id = add_log(world.database, world.asker)
    path = OPERATIONS[name][1].replace("{log_id}", log_id)
    first = world.asker.client.get(path, headers=world.asker.headers)
    headers = {**world.asker.headers, "If-None-Match": first.headers["ETag"]}
    again = world.asker.client.get(path, headers=headers)
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    add_log(world.database, world.asker)
    world.change(log_id)
    assert world.asker.client.get(path, headers=headers).status_code == 200


def test_every_error_is_provoked() -> None:
    assert sorted(PROVOCATIONS) == sorted(ERRORS)


@pytest.mark.parametrize(("component", "code"), ERRORS)
def test_example_of_an_error_is_what_is_answered(world: World, component: str, code: str) -> None:
    response = DOCUMENT["components"]["responses"][component]
    content = response["content"]["application/json"]
    answer = PROVOCATIONS[component, code](world)
    assert answer.json == content["examples"][code]["value"]
    check(answer.json, content["schema"])
    assert ("Retry-After" in answer.headers) == ("Retry-After" in response.get("headers", {}))
    statuses = {
        status
        for _, _, operation in OPERATIONS.values()
        for status, each in operation["responses"].items()
        if each.get("$ref", "").endswith(f"/{component}")
    }
    assert statuses == {str(answer.status_code)}


def test_log_id_of_the_examples_is_one() -> None:
    assert re.fullmatch(r"hs_[0-9a-f]{32}", LOG_ID)
