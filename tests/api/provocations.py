"""How each error of the OpenAPI document is brought about, by the answer's name and the code."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import text
from werkzeug.test import TestResponse

from api.context.quotas import CHANGING
from api.context.services import EXPORTS_AT_ONCE, EXTENSION, Services
from api.identity.auth import Tenant
from sandbox.client import SandboxControl
from shared.connections.session_ends import end_sessions
from shared.database.engines import Database
from shared.database.schema import REQUIRED_REVISION
from shared.sources.options import Owner
from shared.sources.storing import MOST_SOURCES, add_source
from tests.api.asking import (
    NO_POSTGRES,
    PUBLIC_URL,
    WORKSPACE_SECRET,
    Asker,
    call_ended,
    make_token,
    post_webhook,
    read,
    signed_headers,
)
from tests.api.conftest import ClientFactory
from tests.api.rows import add_connection, pause

NEVER: Final = "hs_" + "0" * 32
SOURCE_SECRET: Final = "a-secret-of-16-letters"
CALLER: Final = {"phone_number": "+12025550123"}


@dataclass
class World:
    """A connected user, and what can be broken around them."""

    asker: Asker
    make_client: ClientFactory
    sandbox: SandboxControl
    database: Database
    hub_id: int = field(default=0)

    def __post_init__(self) -> None:
        # What is known of an account outlives the sandbox's reset.
        self.hub_id = self.sandbox.add_account(secrets.randbelow(10**9))

    @property
    def services(self) -> Services:
        services: Services = self.asker.client.application.extensions[EXTENSION]
        return services

    def change(self, log_id: str) -> None:
        """Have something happen to an entry."""
        with self.database.begin() as session:
            session.execute(
                text("UPDATE hubspot_sync_logs SET attempts = attempts + 1 WHERE id = :id"),
                {"id": log_id},
            )

    def ask_sources(self, method: str, path: str = "", **request: Any) -> TestResponse:
        return self.asker.client.open(
            f"/api/call-sources{path}", method=method, headers=self.asker.headers, **request
        )

    def add_source(self, **given: Any) -> dict[str, Any]:
        answer = self.ask_sources("POST", json={"vendor": "generic", **given})
        assert answer.status_code == 201, answer.text
        return dict(read(answer)["source"])

    def deliver(self) -> TestResponse:
        """A call at the address of a source."""
        options = {"fields": {"call_id": "id", "from_number": "caller"}}
        source = self.add_source(secret=SOURCE_SECRET, options=options)
        answer = self.asker.client.post(
            source["url"].removeprefix(PUBLIC_URL),
            headers={"X-Webhook-Secret": SOURCE_SECRET},
            json={"id": "call_xyz", "caller": "+12025550123"},
        )
        self.services.journal.close()
        return answer

    def preview(self) -> TestResponse:
        return self.asker.ask("POST", "preview", json=CALLER)

    def preview_with(self, **changes: Any) -> TestResponse:
        """Preview under changed settings, or without a database."""
        asker = Asker(self.make_client(**changes), self.asker.user_id, self.asker.workspace_id)
        return asker.ask("POST", "preview", json=CALLER)

    def preview_with_fault(self, kind: str) -> TestResponse:
        self.sandbox.add_fault("contacts.search", kind, hub_id=self.hub_id)
        return self.preview()


def _ask_with(world: World, authorization: str | None) -> TestResponse:
    headers = {"Authorization": authorization} if authorization else {}
    return world.asker.client.get("/api/hubspot/status", headers=headers)


def _expired(world: World) -> TestResponse:
    return _ask_with(world, f"Bearer {make_token(exp=int(time.time()) - 60)}")


def _of_an_ended_session(world: World) -> TestResponse:
    asker = Asker(world.asker.client)
    with world.database.begin() as session:
        end_sessions(session, **asker.tenant)
    claims = {"sub": asker.user_id, "workspace_id": asker.workspace_id}
    return _ask_with(world, f"Bearer {make_token(**claims, iat=int(time.time()) - 60)}")


def _only_looking(world: World) -> TestResponse:
    headers = {"Authorization": f"Bearer {make_token(role='viewer')}"}
    return world.asker.client.post("/api/hubspot/preview", headers=headers, json=CALLER)


def _without_pages(world: World) -> TestResponse:
    client = world.make_client(BUILT_IN_PAGE="off", DASHBOARD_URL="https://app.example.com/calls")
    return client.get("/")


def _unsigned(world: World) -> TestResponse:
    forged = signed_headers(b"")
    return world.asker.client.post("/api/webhooks/call-ended", json=call_ended(), headers=forged)


def _sent_by_another(world: World) -> TestResponse:
    return post_webhook(world.asker.client, call_ended(), secret=WORKSPACE_SECRET)


def _without_call_id(world: World) -> TestResponse:
    event = call_ended()
    del event["data"]["call_id"]
    return post_webhook(world.asker.client, event)


def _array_without_calls(world: World) -> TestResponse:
    return post_webhook(world.asker.client, [{"user_id": "user_1", "workspace_id": "ws_1"}])


def _large_webhook(world: World) -> TestResponse:
    return post_webhook(world.asker.client, b"x" * (1024 * 1024 + 1))


def _two_large_arrays(world: World) -> TestResponse:
    with world.services.array_slots.held():
        return post_webhook(world.asker.client, b"[" + b" " * 1024 * 1024 + b"{}]")


def _webhook_over_quota(world: World) -> TestResponse:
    tenant = ("ws_1", "user_1")
    world.services.buckets.take_if_any(world.services.quotas.calling, {tenant: 1e6})
    return post_webhook(world.asker.client, call_ended())


def _webhook_without_database(world: World) -> TestResponse:
    return post_webhook(world.make_client(database=NO_POSTGRES), call_ended())


def _too_large(world: World) -> TestResponse:
    return world.asker.ask("POST", "test-call", data=b"x" * (1024 * 1024 + 1))


def _compressed(world: World) -> TestResponse:
    headers = {**world.asker.headers, "Content-Encoding": "gzip"}
    return world.asker.client.post("/api/hubspot/test-call", headers=headers, data=b"x")


def _too_often(world: World) -> TestResponse:
    tenant = Tenant(**world.asker.tenant)
    world.services.buckets.take_if_any(CHANGING, {tenant: 1e6})
    return world.asker.ask("POST", "test-call", json=CALLER)


def _never_connected(world: World) -> TestResponse:
    return Asker(world.asker.client).ask("POST", "preview", json=CALLER)


def _revoked(world: World) -> TestResponse:
    world.sandbox.revoke_grants(world.hub_id)
    return world.preview()


def _without_scopes(world: World) -> TestResponse:
    world.sandbox.set_scopes(world.hub_id, ["oauth"])
    return world.preview()


def _paused(world: World) -> TestResponse:
    pause(world.database, world.hub_id, seconds=60, reason="daily limit")
    return world.preview()


def _out_of_budget(world: World) -> TestResponse:
    while world.services.hubspot.limits.reserve_search(world.hub_id, longest_wait=5) is not None:
        pass
    return world.preview()


def _misconfigured(world: World) -> TestResponse:
    world.sandbox.expire_tokens(world.hub_id)
    redis = world.services.settings.redis_url.get_secret_value()
    return world.preview_with(HUBSPOT_CLIENT_SECRET="wrong", REDIS_URL=redis)


def _crowded_previews(world: World) -> TestResponse:
    for _ in range(8):
        world.services.preview_slots.take()
    return world.preview()


def _crowded_exports(world: World) -> TestResponse:
    for _ in range(EXPORTS_AT_ONCE):
        world.services.export_slots.take()
    return world.asker.ask("GET", "sync-logs/export")


def _export_without_database(world: World) -> TestResponse:
    return Asker(world.make_client(database=NO_POSTGRES)).ask("GET", "sync-logs/export")


def _status_without_database(world: World) -> TestResponse:
    return Asker(world.make_client(database=NO_POSTGRES)).ask("GET", "status")


def _ready_without_database(world: World) -> TestResponse:
    return world.make_client(database=NO_POSTGRES).get("/readyz")


def _ready_with_old_schema(world: World) -> TestResponse:
    _set_revision(world.database, "0001")
    try:
        return world.asker.client.get("/readyz")
    finally:
        _set_revision(world.database, REQUIRED_REVISION)


def _set_revision(database: Database, revision: str) -> None:
    with database.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": revision})


def _without_limits(world: World) -> TestResponse:
    asker = Asker(world.make_client())  # no Redis there
    add_connection(world.database, asker, hub_id=world.hub_id)
    return asker.ask("POST", "preview", json=CALLER)


def _delivered_without_secret(world: World) -> TestResponse:
    return world.asker.client.post(world.add_source()["url"].removeprefix(PUBLIC_URL))


def _changed_by_viewer(world: World) -> TestResponse:
    headers = {"Authorization": f"Bearer {make_token(role='viewer')}"}
    return world.asker.client.post("/api/call-sources", headers=headers, json={})


def _without_self_service(world: World) -> TestResponse:
    asker = Asker(world.make_client(SELF_SERVICE_SOURCES="off"))
    return asker.client.post("/api/call-sources", headers=asker.headers, json={})


def _with_too_many_sources(world: World) -> TestResponse:
    owner = Owner(world.asker.user_id, world.asker.workspace_id)
    with world.database.begin() as session:
        for _ in range(MOST_SOURCES):
            add_source(session, owner=owner, vendor="generic", name="One", options={})
    return world.ask_sources("POST", json={"vendor": "generic"})


Provocation = Callable[[World], TestResponse]

PROVOCATIONS: Final[dict[tuple[str, str], Provocation]] = {
    ("InvalidRequest", "invalid_request"): lambda w: w.asker.ask("POST", "test-call", json={}),
    ("InvalidWebhook", "invalid_request"): _without_call_id,
    ("InvalidWebhook", "no_call_accepted"): _array_without_calls,
    ("Unauthorized", "missing_token"): lambda w: _ask_with(w, None),
    ("Unauthorized", "invalid_token"): lambda w: _ask_with(w, "Bearer x"),
    ("Unauthorized", "expired_token"): _expired,
    ("Unauthorized", "revoked_token"): _of_an_ended_session,
    ("ReadOnly", "read_only"): _only_looking,
    ("InvalidSignature", "invalid_signature"): _unsigned,
    ("WrongWorkspace", "wrong_workspace"): _sent_by_another,
    ("RefusedDelivery", "invalid_signature"): _delivered_without_secret,
    ("MayNotChangeSources", "read_only"): _changed_by_viewer,
    ("MayNotChangeSources", "self_service_off"): _without_self_service,
    ("TooManySources", "too_many_sources"): _with_too_many_sources,
    ("NoSuchSource", "not_found"): lambda w: w.ask_sources("DELETE", "/src_none"),
    ("NoSuchEntry", "not_found"): lambda w: w.asker.ask("GET", f"sync-logs/{NEVER}"),
    ("SwitchedOff", "not_found"): _without_pages,
    ("NoConnection", "not_connected"): _never_connected,
    ("NoConnection", "reconnect_required"): _revoked,
    ("NoConnection", "missing_scopes"): _without_scopes,
    ("TooLarge", "payload_too_large"): _too_large,
    ("WebhookTooLarge", "payload_too_large"): _large_webhook,
    ("UnsupportedEncoding", "unsupported_media_type"): _compressed,
    ("TooOften", "too_many_requests"): _too_often,
    ("Unavailable", "unavailable"): _status_without_database,
    ("Crowded", "busy"): _crowded_exports,
    ("Crowded", "unavailable"): _export_without_database,
    ("WebhookUnavailable", "busy"): _two_large_arrays,
    ("WebhookUnavailable", "over_quota"): _webhook_over_quota,
    ("WebhookUnavailable", "unavailable"): _webhook_without_database,
    ("HubSpotNotAsked", "paused"): _paused,
    ("HubSpotNotAsked", "rate_limited"): _out_of_budget,
    ("HubSpotNotAsked", "network_error"): lambda w: w.preview_with_fault("reset_before"),
    ("HubSpotNotAsked", "hubspot_unavailable"): lambda w: w.preview_with_fault("html"),
    ("HubSpotNotAsked", "limits_unavailable"): _without_limits,
    ("HubSpotNotAsked", "configuration_error"): _misconfigured,
    ("HubSpotNotAsked", "busy"): _crowded_previews,
    ("HubSpotNotAsked", "unavailable"): lambda w: w.preview_with(database=NO_POSTGRES),
    ("NotReady", "postgres_away"): _ready_without_database,
    ("NotReady", "schema_too_old"): _ready_with_old_schema,
}
