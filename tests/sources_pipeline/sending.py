"""Sources as their users set them up, and vendors that deliver to them."""

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.datastructures import Headers
from werkzeug.test import TestResponse

from api.context.services import EXTENSION, Services
from shared.calls.contents import read_stored
from shared.database.engines import Database
from sources.adapter import Adapter, InvalidSecretError, Sample, Secret
from sources.registry import ADAPTERS
from tests.api.asking import PUBLIC_URL, make_token, read
from tests.sources.deliveries import OPTIONS

# Each scheme takes one of them.
SECRETS: Final = (
    "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
    "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=",
    "0123456789abcdef0123456789abcdef",
    "a-shared-secret-of-more-than-thirty-two-bytes",
)
OTHER_SECRETS: Final = (
    "whsec_BBECAwQFBgcICQoLDA0ODxAREhMUFRYX",
    "B6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=",
    "1123456789abcdef0123456789abcdef",
    "another-secret-of-more-than-thirty-two-bytes",
)
# Only the vendor can sign with the other half; samples are signed with a seed.
SEED: Final = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


def choose_secret(adapter: Adapter, candidates: Sequence[str] = SECRETS) -> str:
    """The first that can be a secret of the vendor's default scheme."""
    for each in candidates:
        try:
            adapter.schemes[0].check(each)
        except InvalidSecretError:
            continue
        return each
    raise AssertionError(adapter.vendor)


def options_of(adapter: Adapter) -> dict[str, Any]:
    return dict(OPTIONS.get(adapter.vendor, {}))


def sample(adapter: Adapter, value: str, url: str, at: datetime | None = None) -> list[Sample]:
    """Deliveries of one call as the vendor would sign them."""
    made = adapter.options.model_validate(options_of(adapter))
    secret = Secret(id="sec_1", scheme=adapter.schemes[0].name, value=value)
    return list(adapter.sample(secret, url, at or datetime.now(UTC), made))


@dataclass
class Platform:
    """A user of a workspace of their own, and the platform that they are a customer of."""

    client: FlaskClient
    database: Database
    user_id: str = field(default_factory=lambda: f"user_{secrets.token_hex(4)}")
    workspace_id: str = field(default_factory=lambda: f"ws_{secrets.token_hex(4)}")
    role: str | None = None

    @property
    def services(self) -> Services:
        found: Services = self.client.application.extensions[EXTENSION]
        return found

    def as_role(self, role: str) -> "Platform":
        return Platform(self.client, self.database, self.user_id, self.workspace_id, role)

    def ask(self, method: str, path: str = "", **options: Any) -> TestResponse:
        token = make_token(sub=self.user_id, workspace_id=self.workspace_id, role=self.role)
        return self.client.open(
            f"/api/call-sources{path}",
            method=method,
            headers={"Authorization": f"Bearer {token}"},
            **options,
        )

    def add(self, vendor: str, **given: Any) -> dict[str, Any]:
        answer = self.ask("POST", json={"vendor": vendor, **given})
        assert answer.status_code == 201, answer.text
        return dict(read(answer)["source"])

    def add_ready(self, adapter: Adapter, **given: Any) -> tuple[dict[str, Any], str]:
        """A source with a secret; returns it with what its samples are signed with."""
        value = signing = choose_secret(adapter)
        if adapter.schemes[0].name == "ed25519":
            value, signing = make_pair()
        options = options_of(adapter) | given.pop("options", {})
        return self.add(adapter.vendor, secret=value, options=options, **given), signing

    def change(self, source_id: str, **changes: Any) -> dict[str, Any]:
        answer = self.ask("PATCH", f"/{source_id}", json=changes)
        assert answer.status_code == 200, answer.text
        return dict(read(answer)["source"])

    def show(self, source_id: str) -> dict[str, Any]:
        answer = self.ask("GET")
        assert answer.status_code == 200, answer.text
        (found,) = [each for each in read(answer)["sources"] if each["id"] == source_id]
        return dict(found)

    def deliveries(self, source_id: str) -> list[dict[str, Any]]:
        answer = self.ask("GET", f"/{source_id}/deliveries")
        assert answer.status_code == 200, answer.text
        return list(read(answer)["deliveries"])

    def deliver(self, source: Mapping[str, Any], sent: Sample, **changes: Any) -> TestResponse:
        """Post a delivery as its vendor does."""
        url = changes.pop("url", source["url"])
        headers = Headers(changes.pop("headers", sent.headers))
        return self.client.post(
            url.removeprefix(PUBLIC_URL),
            data=changes.pop("body", sent.body),
            headers=headers,
            **changes,
        )

    def read_rows(self, query: str, **values: Any) -> list[Any]:
        with self.database.read() as session:
            return list(session.execute(text(query), values).all())

    def read_calls(self) -> list[dict[str, Any]]:
        """The log's rows with the folded contents, in the order of their reception."""
        rows = self.read_rows(
            "SELECT id, user_id, workspace_id, call_id, status, error_code,"
            " source_id FROM hubspot_sync_logs ORDER BY id"
        )
        with self.database.read() as session:
            stored = read_stored(session, [row.id for row in rows])
        return [
            {**row._mapping, "content": stored[row.id].fold().content if row.id in stored else None}
            for row in rows
        ]


def make_pair() -> tuple[str, str]:
    """A public key, and what samples are signed with in its place."""
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(SEED))
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    return public, f"seed:{SEED}"


def every_adapter() -> list[Adapter]:
    return list(ADAPTERS.values())


def as_json(body: Any) -> bytes:
    return json.dumps(body).encode()
