"""What browsers load: the page, the web component, the client, and who may embed them."""

import re
from pathlib import Path
from urllib.parse import urljoin

import pytest

import api.dashboard
from api.dashboard import FILES, PAGE_FILES
from tests.api.asking import DASHBOARD_URL, PUBLIC_URL, Asker
from tests.api.conftest import ClientFactory

ORIGIN = "https://app.example.com"
FOREIGN = "https://elsewhere.example.com"
CSP = "Content-Security-Policy"
PAGES = ("/", "/embed/example", "/embed/landed")
ADDRESSES = [f"/{name}" for name in FILES]
IMPORT = re.compile(r"""(?:^import|from) "(?P<address>\.[^"]+)";""", re.MULTILINE)


@pytest.mark.parametrize("address", ADDRESSES)
def test_file_is_served_with_its_type_and_kept_by_browsers(
    make_client: ClientFactory, address: str
) -> None:
    client = make_client()
    types = {"css": "text/css", "js": "text/javascript", "ts": "text/plain"}

    first = client.get(address)
    again = client.get(address, headers={"If-None-Match": first.headers["ETag"]})

    assert first.status_code == 200
    assert first.content_type == f"{types[address.rpartition('.')[2]]}; charset=utf-8"
    assert first.headers["Cache-Control"] == "no-cache"
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    assert again.status_code == 304
    assert again.data == b""


@pytest.mark.parametrize("address", [each for each in ADDRESSES if each.endswith(".js")])
def test_modules_find_what_they_import(make_client: ClientFactory, address: str) -> None:
    client = make_client()
    for found in IMPORT.finditer(client.get(address).text):
        imported = urljoin(address, found["address"])
        assert imported in ADDRESSES, f"{address} imports {imported}"


def test_every_script_of_the_folder_is_served() -> None:
    folder = Path(api.dashboard.__file__).parent
    on_disk = {*folder.rglob("*.js"), *folder.rglob("*.css"), *folder.rglob("*.d.ts")}
    assert set(FILES.values()) == on_disk


@pytest.mark.parametrize("address", ["/embed/hubspot-call-sync.js", "/client.js", "/client.d.ts"])
def test_allowed_origins_may_load_modules(make_client: ClientFactory, address: str) -> None:
    client = make_client(ALLOWED_ORIGINS=ORIGIN)

    allowed = client.get(address, headers={"Origin": ORIGIN})
    refused = client.get(address, headers={"Origin": FOREIGN})

    assert allowed.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Access-Control-Allow-Origin" not in refused.headers
    assert "Origin" in refused.vary


def test_kept_answer_of_one_origin_does_not_serve_another(make_client: ClientFactory) -> None:
    client = make_client(ALLOWED_ORIGINS=f"{ORIGIN},https://second.example.com")
    first = client.get("/client.js", headers={"Origin": ORIGIN})
    second = client.get(
        "/client.js",
        headers={
            "Origin": "https://second.example.com",
            "If-None-Match": first.headers["ETag"],
        },
    )
    assert second.status_code == 304
    assert second.headers["Access-Control-Allow-Origin"] == "https://second.example.com"


def test_preflight_allows_what_the_client_sends(make_client: ClientFactory) -> None:
    client = make_client(ALLOWED_ORIGINS=ORIGIN)
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
    answer = client.options("/api/hubspot/status", headers=asked)
    allowed = answer.headers["Access-Control-Allow-Headers"].split(", ")
    assert set(allowed) == {"Authorization", "Content-Type", "If-None-Match"}
    exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"Content-Disposition", "ETag", "Retry-After"} <= set(exposed)


@pytest.mark.parametrize("address", PAGES)
def test_page_runs_nothing_but_its_own_files(make_client: ClientFactory, address: str) -> None:
    answer = make_client().get(address)
    policy = dict(each.split(maxsplit=1) for each in answer.headers[CSP].split("; "))

    assert answer.content_type == "text/html; charset=utf-8"
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    addresses = re.findall(r'<(?:script|link)[^>]* (?:src|href)="([^"]+)"', answer.text)
    assert addresses
    assert not [each for each in addresses if "//" in each]
    assert not re.search(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=", answer.text)


def test_only_allowed_origins_may_frame_the_page(make_client: ClientFactory) -> None:
    client = make_client(ALLOWED_ORIGINS=ORIGIN)
    assert client.get("/").headers[CSP].endswith(f"frame-ancestors {ORIGIN}")
    assert client.get("/embed/example").headers[CSP].endswith("frame-ancestors 'none'")
    assert "frame-ancestors 'none'" in client.get("/healthz").headers[CSP]


def test_page_is_not_sent_again_unchanged(make_client: ClientFactory) -> None:
    client = make_client()
    tag = client.get("/").headers["ETag"]
    assert client.get("/", headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize(
    "address",
    [
        "/embed/unknown.js",
        "/embed/__init__.py",
        "/embed/..%2F__init__.py",
        "/assets/page.html",
        "/assets/client_types.py",
        "/client.py",
    ],
)
def test_nothing_else_of_the_folder_is_served(make_client: ClientFactory, address: str) -> None:
    answer = make_client().get(address, base_url=PUBLIC_URL)
    assert answer.status_code == 404
    assert answer.json
    assert answer.json["error"]["code"] == "not_found"


@pytest.mark.parametrize("address", ["/", "/embed/example", *(f"/{name}" for name in PAGE_FILES)])
def test_pages_that_sign_in_by_their_address_can_be_switched_off(
    make_client: ClientFactory, address: str
) -> None:
    client = make_client(BUILT_IN_PAGE="off")
    answer = client.get(address)
    assert answer.status_code == 404
    assert answer.json
    assert "BUILT_IN_PAGE=off" in answer.json["error"]["message"]
    assert DASHBOARD_URL in answer.json["error"]["message"]


@pytest.mark.parametrize("address", [each for each in ADDRESSES if each[1:] not in PAGE_FILES])
def test_element_can_be_embedded_though_the_pages_are_switched_off(
    make_client: ClientFactory, address: str
) -> None:
    assert make_client(BUILT_IN_PAGE="off").get(address).status_code == 200


def test_popup_comes_back_to_a_page_that_signs_nobody_in(make_client: ClientFactory) -> None:
    client = make_client(BUILT_IN_PAGE="off", ALLOWED_ORIGINS=ORIGIN)
    page = client.get("/embed/landed")
    assert page.status_code == 200
    assert f'opener-origins="{PUBLIC_URL} {ORIGIN}"' in page.text
    scripts = re.findall(r'<script[^>]* src="([^"]+)"', page.text)
    assert scripts == ["hubspot-call-sync.js"]
    asker = Asker(client)
    asker.initiate(return_to=f"{PUBLIC_URL}/embed/landed?hubspot-popup=1")


def test_without_our_page_connecting_leads_to_the_dashboard(make_client: ClientFactory) -> None:
    client = make_client(BUILT_IN_PAGE="off")
    answer = client.get("/api/hubspot/oauth/callback?state=unknown", base_url=PUBLIC_URL)
    assert answer.headers["Location"].startswith(DASHBOARD_URL)
