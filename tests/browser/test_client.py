"""client.js in Chromium, loaded by a page of another site, against the running service."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jsonschema_rs
import pytest
from playwright.sync_api import BrowserContext, Page, Route

from api.app import describe_api
from api.dashboard.client_types import ERRORS, RESPONSES, Method, list_methods
from tests.browser.deployments import Deployments
from tests.browser.watching import Watch
from tests.browser.workspaces import Workspace

PAGE = """<!doctype html><title>A dashboard</title>
<script type="module">
  import * as api from "{api_url}/client.js";
  window.api = api;
</script>"""
# The client waits for its token in the page, so that tests can change it.
MAKE_CLIENT = """([baseUrl, token]) => {
  window.token = token;
  window.states = [];
  window.client = new api.HubSpotCallSyncClient({ baseUrl, token: window.token });
}"""
CALL = """async ([name, args]) => {
  try {
    const answer = await client[name](...args);
    if (!(answer?.blob instanceof Blob)) return { answer };
    return { answer: { ...answer, blob: undefined, text: await answer.blob.text() } };
  } catch (error) {
    const kinds = Object.keys(api).filter((kind) => error instanceof api[kind]);
    const { name, message, status, code, fields, retryAfterMs } = error;
    return { error: { kinds, name, message, status, code, fields, retryAfterMs } };
  }
}"""
DOCUMENT = describe_api("http://localhost")
METHODS = list_methods(DOCUMENT)

Caller = Callable[..., Any]


@pytest.fixture
def client_page(page: Page, deployments: Deployments, workspace: Workspace) -> Page:
    """A page of another site with a client that has a token of the workspace."""
    deployments.site.pages["/client"] = PAGE.format(api_url=deployments.platform_url)
    page.goto(f"{deployments.site.url}/client")
    page.wait_for_function("window.api")
    page.evaluate(MAKE_CLIENT, [deployments.platform_url, workspace.token()])
    return page


@pytest.fixture
def attempt(client_page: Page) -> Caller:
    """Calls a method; returns its answer or its error."""

    def attempt(name: str, *arguments: Any) -> Any:
        return client_page.evaluate(CALL, [name, arguments])

    return attempt


@pytest.fixture
def call(attempt: Caller) -> Caller:
    """Calls a method that must succeed; returns its answer."""

    def call(name: str, *arguments: Any) -> Any:
        found = attempt(name, *arguments)
        assert "error" not in found, found["error"]
        return found["answer"]

    return call


def check_answer(method: Method, answer: Any) -> None:
    """Compare with the schema that the OpenAPI document promises for the method."""
    schema = method.success["content"]["application/json"]["schema"]
    jsonschema_rs.validate(schema | {"components": DOCUMENT["components"]}, answer)


def test_every_method_answers_as_the_document_promises(
    call: Caller, client_page: Page, workspace: Workspace
) -> None:
    workspace.connect()
    workspace.add_contact(firstname="Ada", phone="+1 202 555 0123")
    log_id = workspace.end_call("anonymous")
    source_id = workspace.add_source(vendor="generic")["id"]
    workspace.wait_until_settled()
    arguments: dict[str, list[Any]] = {
        "initiateHubSpotOAuth": [{"returnTo": workspace.deployments.site.url}],
        "getHubSpotSyncLogs": [{"status": "skipped", "ids": None, "limit": 10}],
        "getSyncLog": [log_id],
        "retrySyncLog": [log_id],
        "retrySyncLogs": [{"ids": [log_id]}],
        "exportSyncLogs": [{"status": "skipped"}],
        "getStatistics": [{"bucket": "hour", "time_zone": "Europe/Berlin"}],
        "updateSettings": [{"default_region": "DE"}],
        "preview": [{"phone_number": "+12025550123"}],
        "sendTestCall": [{"phone_number": "+12025550123"}],
        "addCallSource": [{"vendor": "generic"}],
        "updateCallSource": [source_id, {"name": "Front desk"}],
        "getCallSourceDeliveries": [source_id],
        "getUnassignedCalls": [source_id],
        "removeCallSource": [source_id],
    }
    # What ends something comes last: what comes after it would be refused.
    last = ("removeCallSource", "disconnectHubSpot")
    for method in sorted(METHODS, key=lambda each: each.name in last):
        answer = call(method.name, *arguments.get(method.name, []))
        if method.name not in RESPONSES:
            check_answer(method, answer)
    methods = client_page.evaluate(
        "Object.getOwnPropertyNames(api.HubSpotCallSyncClient.prototype)"
    )
    assert set(methods) - {"constructor"} == {method.name for method in METHODS}


def test_methods_pass_their_arguments_on(call: Caller, workspace: Workspace) -> None:
    first = workspace.end_call("anonymous")
    second = workspace.end_call("+44 20 7946 0018")
    workspace.wait_until_settled()

    found = [log["id"] for log in call("getHubSpotSyncLogs", {"phone": "+442079460018"})["logs"]]
    chosen = call("getHubSpotSyncLogs", {"ids": [first, second]})["logs"]
    assert found == [second]
    assert {log["id"] for log in chosen} == {first, second}
    assert call("getSyncLog", first)["log"]["id"] == first
    assert call("updateSettings", {"default_region": "FR"})["default_region"] == "FR"
    assert call("getSettings")["default_region"] == "FR"
    assert "GET" not in call("getMetrics").split()[0]
    assert call("getOpenApi")["openapi"].startswith("3.1")


def test_export_is_a_named_file(call: Caller, workspace: Workspace) -> None:
    log_id = workspace.end_call("anonymous")
    workspace.wait_until_settled()

    export = call("exportSyncLogs", {"status": "skipped"})

    assert export["filename"] == "sync-log.csv"
    assert export["truncated"] is False
    assert export["text"].splitlines()[0].startswith("created_at,call_id,phone_number,status")
    assert log_id in export["text"]


def test_unchanged_status_is_not_sent_again(
    call: Caller, client_page: Page, workspace: Workspace
) -> None:
    statuses: list[int] = []
    client_page.on(
        "response",
        lambda answer: statuses.append(answer.status) if "/status" in answer.url else None,
    )
    first = call("getHubSpotStatus")
    again = call("getHubSpotStatus")
    workspace.end_call("anonymous")
    workspace.wait_until_settled()
    changed = call("getHubSpotStatus")

    assert statuses == [200, 304, 200]
    assert again == first
    assert changed["counts"]["skipped"] == 1


@pytest.mark.parametrize(
    ("name", "argument", "kind"),
    [
        ("getHubSpotSyncLogs", {"limit": 1000}, "BadRequestError"),
        ("getSyncLog", "hs_unknown", "NotFoundError"),
        ("preview", {"phone_number": "+12025550123"}, "ConflictError"),
    ],
)
def test_errors_have_types(
    attempt: Caller, watch: Watch, name: str, argument: Any, kind: str
) -> None:
    watch.expected.append("Failed to load resource")

    error = attempt(name, argument)["error"]

    assert set(error["kinds"]) == {"ApiError", kind}
    assert error["name"] == kind
    assert ERRORS[error["status"]] == kind
    assert error["code"] != "http_error"
    assert error["message"]


def test_wrong_fields_are_named(attempt: Caller, watch: Watch) -> None:
    watch.expected.append("Failed to load resource")
    error = attempt("getHubSpotSyncLogs", {"limit": 1000})["error"]
    assert [each["field"] for each in error["fields"]] == ["limit"]


@pytest.mark.parametrize(
    ("status", "kind"), [*((status, kind) for status, kind in ERRORS.items()), (502, None)]
)
def test_every_status_becomes_its_error(
    attempt: Caller, client_page: Page, watch: Watch, status: int, kind: str | None
) -> None:
    watch.expected.append("Failed to load resource")

    def refuse(route: Route) -> None:
        origin = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "*"}
        route.fulfill(status=status, headers=origin | {"Retry-After": "7"}, body="<h1>Proxy</h1>")

    client_page.route("**/healthz", refuse)
    error = attempt("getHealth")["error"]

    assert set(error["kinds"]) == {"ApiError", *([kind] if kind else [])}
    assert (error["status"], error["code"]) == (status, "http_error")
    assert error["retryAfterMs"] == 7000


def test_no_answer_is_a_network_error(
    attempt: Caller, context: BrowserContext, watch: Watch
) -> None:
    watch.expected.append("ERR_INTERNET_DISCONNECTED")
    context.set_offline(True)
    assert attempt("getHealth")["error"]["kinds"] == ["NetworkError"]


def test_aborted_request_is_no_network_error(client_page: Page) -> None:
    name = client_page.evaluate(
        "client.getHubSpotStatus({ signal: AbortSignal.abort() }).catch((error) => error.name)"
    )
    assert name == "AbortError"


def test_refused_token_is_asked_for_again_once(
    client_page: Page, deployments: Deployments, workspace: Workspace, watch: Watch
) -> None:
    watch.expected.append("Failed to load resource")
    expired = workspace.token(lasts=timedelta(hours=-1))
    found = client_page.evaluate(
        """async ([baseUrl, expired, fresh]) => {
          const states = [];
          const token = async ({ refused }) => (states.push(refused), refused ? fresh : expired);
          const client = new api.HubSpotCallSyncClient({ baseUrl, token });
          const { state } = await client.getHubSpotStatus();
          const stubborn = new api.HubSpotCallSyncClient({ baseUrl, token: () => expired });
          const error = await stubborn.getHubSpotStatus().catch((error) => error.name);
          return { states, state, error };
        }""",
        [deployments.platform_url, expired, workspace.token()],
    )
    assert found == {
        "states": [False, True],
        "state": "disconnected",
        "error": "UnauthorizedError",
    }


def test_origin_that_is_not_allowed_gets_nothing(
    client_page: Page, deployments: Deployments, workspace: Workspace, watch: Watch
) -> None:
    watch.expected += ["blocked by CORS policy", "Failed to load resource"]
    kinds = client_page.evaluate(
        """async ([baseUrl, token]) => {
          const client = new api.HubSpotCallSyncClient({ baseUrl, token });
          const load = () => import(`${baseUrl}/client.js`);
          const outcomes = [client.getHubSpotStatus(), client.getHealth(), load()];
          return (await Promise.allSettled(outcomes)).map(({ reason }) => reason?.name);
        }""",
        [deployments.own_url, workspace.token()],
    )
    assert kinds == ["NetworkError", "NetworkError", "TypeError"]
