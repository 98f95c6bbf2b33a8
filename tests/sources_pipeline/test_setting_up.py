"""Setting sources up: the dashboard's API, its states, secrets, and whose sources are whose."""

import re
from typing import Any, Final

import pytest

from sources.registry import ADAPTERS
from tests.api.asking import PUBLIC_URL, make_token, read
from tests.sources_pipeline.sending import Platform

SECRET: Final = "a-secret-of-16-letters"
GENERIC: Final = {"fields": {"call_id": "id", "from_number": "caller", "direction": "way"}}


def test_a_source_is_added_and_shown(platform: Platform) -> None:
    source = platform.add("generic", name=" Our platform ", secret=SECRET, options=GENERIC)
    assert re.fullmatch(r"src_[0-9a-f]{32}", source["id"])
    assert source["url"] == f"{PUBLIC_URL}/api/webhooks/generic/{source['id']}"
    assert source["name"] == "Our platform"
    assert source["state"] == "waiting"
    assert source["options"] == GENERIC
    (secret,) = source["secrets"]
    assert secret["scheme"] == "header"
    assert secret["last_used_at"] is None
    assert source["counts"] == {"received": 0, "ignored": 0, "unreadable": 0, "refused": 0}
    assert platform.show(source["id"]) == source
    assert SECRET not in platform.ask("GET").text


def test_every_vendor_is_offered_with_what_is_to_be_done(platform: Platform) -> None:
    shown = read(platform.ask("GET"))["vendors"]
    assert [each["vendor"] for each in shown] == list(ADAPTERS)
    for each in shown:
        assert each["secret"] in {"required", "optional"}
        assert each["steps"]
        assert any("{url}" in step for step in each["steps"])
        assert {"forwarded", "tenants", "default_region"} <= each["options"]["properties"].keys()
        assert [scheme["name"] for scheme in each["schemes"]] == [
            scheme.name for scheme in ADAPTERS[each["vendor"]].schemes
        ]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "vendor"),
        ({"vendor": "nobody"}, "vendor"),
        ({"vendor": "generic", "name": " "}, "name"),
        ({"vendor": "generic", "name": "x" * 101}, "name"),
        ({"vendor": "generic", "secret": "x"}, "secret"),
        ({"vendor": "generic", "secret": {"value": SECRET, "scheme": "magic"}}, "secret.scheme"),
        ({"vendor": "generic", "options": {"feilds": {}}}, "options.feilds"),
        ({"vendor": "generic", "options": {"fields": {"from_number": "a"}}}, "options.fields"),
        ({"vendor": "generic", "options": {"default_region": "XX"}}, "options.default_region"),
        ({"vendor": "generic", "options": {"forwarded": "short"}}, "options.forwarded"),
        (
            {"vendor": "generic", "options": {"tenants": {"table": {"a": "u/w"}}}},
            "options.tenants",
        ),
        ({"vendor": "generic", "colour": "red"}, "colour"),
    ],
)
def test_what_is_wrong_is_named(platform: Platform, given: dict[str, Any], field: str) -> None:
    answer = platform.ask("POST", json=given)
    assert answer.status_code == 400, answer.text
    (problem,) = read(answer)["error"]["fields"]
    assert problem["field"].startswith(field)
    assert problem["message"]
    assert read(platform.ask("GET"))["sources"] == []


def test_names_are_numbered_if_none_is_given(platform: Platform) -> None:
    names = [platform.add("generic")["name"] for _ in range(3)]
    title = ADAPTERS["generic"].title
    assert names == [title, f"{title} 2", f"{title} 3"]


def test_three_secrets_are_good_at_a_time(platform: Platform) -> None:
    source = platform.add("generic")
    assert source["state"] == "needs_secret"
    for number in range(3):
        source = platform.change(source["id"], add_secret=f"{SECRET}-{number}")
    assert source["state"] == "waiting"
    answer = platform.ask("PATCH", f"/{source['id']}", json={"add_secret": f"{SECRET}-3"})
    assert answer.status_code == 400
    assert "remove one" in answer.text
    first, *_ = source["secrets"]
    source = platform.change(
        source["id"], remove_secret=first["id"], add_secret=f"{SECRET}-3", name="Renamed"
    )
    assert len(source["secrets"]) == 3
    assert source["name"] == "Renamed"
    answer = platform.ask("PATCH", f"/{source['id']}", json={"remove_secret": first["id"]})
    assert read(answer)["error"]["fields"][0]["field"] == "remove_secret"


def test_secrets_are_not_in_the_database_as_they_are(platform: Platform) -> None:
    platform.add("generic", secret=SECRET, options={"forwarded": f"{SECRET}-forwarded"})
    rows = platform.read_rows("SELECT scheme, value FROM call_source_secrets ORDER BY scheme")
    assert [row.scheme for row in rows] == ["forwarded", "header"]
    assert all(row.value.startswith("v1.") and SECRET not in row.value for row in rows)
    (options,) = platform.read_rows("SELECT options FROM call_sources")
    assert options[0] == {"forwarded": True}


def test_others_do_not_see_a_source(platform: Platform) -> None:
    source = platform.add("generic")
    other = Platform(platform.client, platform.database)
    assert read(other.ask("GET"))["sources"] == []
    for method, path in (("PATCH", ""), ("DELETE", ""), ("GET", "/deliveries")):
        answer = other.ask(method, f"/{source['id']}{path}", json={"name": "Mine"})
        assert answer.status_code == 404
    asked = other.ask("GET", query_string={"user_id": platform.user_id})
    assert read(asked)["sources"] == []
    assert platform.show(source["id"])["name"] == source["name"]


def test_a_viewer_looks_and_changes_nothing(platform: Platform) -> None:
    source = platform.add("generic")
    viewer = platform.as_role("viewer")
    assert viewer.show(source["id"]) == source
    for method, path in (
        ("POST", ""),
        ("PATCH", f"/{source['id']}"),
        ("DELETE", f"/{source['id']}"),
    ):
        assert viewer.ask(method, path, json={}).status_code == 403


def test_the_platform_sets_up_everybodys_sources_and_its_own(platform: Platform) -> None:
    own = platform.as_role("platform")
    tenant = {"user_id": "customer", "workspace_id": "of-theirs"}
    made = own.ask("POST", json={"vendor": "generic"}, query_string=tenant)
    assert read(made)["source"]["user_id"] == "customer"
    assert read(own.ask("GET"))["sources"] == []
    customer = Platform(platform.client, platform.database, "customer", "of-theirs")
    assert len(read(customer.ask("GET"))["sources"]) == 1
    answer = own.ask("GET", query_string={"user_id": "customer"})
    assert read(answer)["error"]["fields"][0]["field"] == "workspace_id"
    platforms = own.add("generic", options={"tenants": {"table": {"agent": "customer/of-theirs"}}})
    assert platforms["user_id"] is None
    assert read(platform.ask("GET"))["sources"] == []


def test_other_roles_are_refused(platform: Platform) -> None:
    for role in ("admin", 7, ["platform"], None):
        token = make_token(role=role) if role is not None else make_token() + "x"
        answer = platform.client.get(
            "/api/call-sources", headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.status_code == 401


def test_a_removed_source_is_gone_for_good(platform: Platform) -> None:
    source = platform.add("generic", secret=SECRET, options=GENERIC)
    path = source["url"].removeprefix(PUBLIC_URL)
    sent = {"headers": {"X-Webhook-Secret": SECRET}, "json": {"id": "1", "caller": "+12025550123"}}
    assert platform.client.post(path, **sent).status_code == 200
    assert read(platform.ask("DELETE", f"/{source['id']}")) == {"success": True}
    assert platform.client.post(path, **sent).status_code == 404
    assert platform.ask("DELETE", f"/{source['id']}").status_code == 404
    assert platform.ask("GET", f"/{source['id']}/deliveries").status_code == 404
    assert len(platform.read_calls()) == 1
    assert platform.read_rows("SELECT * FROM call_source_secrets") == []
