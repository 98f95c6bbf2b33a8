"""The doctor names every fault with its cure, and never a secret."""

import base64
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psycopg
import pytest

from commands.findings import judge_clock
from local.databases import fresh_database
from local.environment import make_secrets
from shared.broker.deployment import connect_redis, sign_in
from tests.cli.conftest import Invoke
from tests.conftest import MakeRole
from tests.queue.authorities import encrypted, write_certificate
from tests.settings.environment import make_environ

NO_WORKER = "✗ No worker answers: calls are accepted, but wait."


def faults(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith("✗")]


def test_service_without_a_worker_has_that_fault_alone(invoke: Invoke) -> None:
    result = invoke("doctor")

    assert result.exit_code == 1
    assert faults(result.stdout) == [NO_WORKER, "✗ Faults found: 1."]
    assert "  → start one: celery -A worker.app worker" in result.stdout
    for fine in ("All settings", "Postgres", "The database's schema", "Redis", "HubSpot accepts"):
        assert f"✓ {fine}" in result.stdout
    assert "https://calls.example.com/api/hubspot/oauth/callback" in result.stdout
    assert "OAuth is bound by auto" in result.stdout


def test_offline_asks_no_server(invoke: Invoke) -> None:
    away = {"DATABASE_URL": "postgresql://127.0.0.1:1/x", "REDIS_URL": "redis://127.0.0.1:1/0"}

    result = invoke("doctor", "--offline", **away)

    assert result.exit_code == 0
    assert "Postgres" not in result.stdout


@pytest.mark.parametrize(("secret", "is_short"), [("x" * 31, True), ("x" * 32, False)])
def test_short_jwt_secret_is_a_warning_on_localhost(
    invoke: Invoke, secret: str, is_short: bool
) -> None:
    result = invoke("doctor", "--offline", JWT_SECRET=secret, PUBLIC_URL="http://localhost:8000")

    assert result.exit_code == 0
    assert ("JWT_SECRET is shorter" in result.stdout) == is_short


def test_short_jwt_secret_is_a_fault_in_public(invoke: Invoke) -> None:
    result = invoke("doctor", "--offline", JWT_SECRET="x" * 31)

    assert result.exit_code == 1
    assert "✗ JWT_SECRET: is 31 bytes, needs 32 or more" in result.stdout


@pytest.mark.parametrize(("password", "is_short"), [("letmein", True), ("p" * 12, False)])
def test_short_password_of_flower_is_a_warning(
    invoke: Invoke, password: str, is_short: bool
) -> None:
    result = invoke("doctor", "--offline", FLOWER_BASIC_AUTH=f"operator:{password}")

    assert result.exit_code == 0
    assert ("! The password in FLOWER_BASIC_AUTH is shorter" in result.stdout) == is_short
    assert password not in result.stdout


PROVIDER: Final = {
    "JWT_SECRET": None,
    "JWT_JWKS_URL": "https://login.example.com/keys",
    "JWT_AUDIENCE": "calls",
    "JWT_ISSUER": "https://login.example.com",
}


@pytest.mark.parametrize("name", ["JWT_AUDIENCE", "JWT_ISSUER", None])
def test_claim_that_may_be_anything_is_warned_of(invoke: Invoke, name: str | None) -> None:
    result = invoke("doctor", "--offline", **PROVIDER | ({name: "any"} if name else {}))

    assert result.exit_code == 0
    assert ("is any: tokens" in " ".join(result.stdout.split())) == (name is not None)


def test_claims_that_are_missing_are_named_with_the_cure(invoke: Invoke) -> None:
    result = invoke("doctor", "--offline", **PROVIDER | {"JWT_AUDIENCE": None})

    assert result.exit_code == 1
    told = " ".join(result.stdout.split())
    assert "JWT_AUDIENCE: missing, and JWT_JWKS_URL is set" in told
    assert "aud claim that tokens for this service have, or any" in told


@pytest.mark.parametrize("name", ["JWT_SECRET", "WEBHOOK_SECRETS", "TOKEN_ENCRYPTION_KEYS"])
def test_secret_that_nobody_drew_by_lot_is_a_warning(invoke: Invoke, name: str) -> None:
    drawn = fill_in_secrets()
    warning = f"! {name} repeats a few characters"

    assert warning not in invoke("doctor", "--offline", **drawn).stdout
    monotonous = base64.b64encode(b"abc" * 10 + b"ab").decode()
    text = "x" * 40 if name == "JWT_SECRET" else monotonous
    prefix = "whsec_" if name == "WEBHOOK_SECRETS" else ""
    assert warning in invoke("doctor", "--offline", **drawn | {name: prefix + text}).stdout


def fill_in_secrets() -> dict[str, str]:
    made = make_secrets()
    return {name: made[name] for name in ("JWT_SECRET", "WEBHOOK_SECRETS", "TOKEN_ENCRYPTION_KEYS")}


def test_every_missing_setting_is_named_with_its_cure(invoke: Invoke) -> None:
    nothing: dict[str, str | None] = dict.fromkeys(make_environ())

    result = invoke("doctor", "--offline", **nothing)

    assert result.exit_code == 1
    for name in nothing:
        assert name in result.stdout
    assert result.stdout.count("  → ") == len(nothing)


def test_no_secret_is_shown(invoke: Invoke) -> None:
    result = invoke(
        "doctor",
        DATABASE_URL="postgresql://u:hunter2@127.0.0.1:1/x",
        REDIS_URL="redis://:hunter2@127.0.0.1:1/0",
        HUBSPOT_CLIENT_SECRET="hunter2",
        TOKEN_ENCRYPTION_KEYS="hunter2",
        WEBHOOK_SECRETS="hunter2",
        JWT_SECRET="hunter2",
    )

    assert result.exit_code == 1
    assert "hunter2" not in result.output


def test_servers_that_are_away_are_named(invoke: Invoke) -> None:
    result = invoke(
        "doctor",
        DATABASE_URL="postgresql://127.0.0.1:1/x",
        REDIS_URL="redis://127.0.0.1:1/0",
        HUBSPOT_API_URL="http://127.0.0.1:1",
    )

    assert [" ".join(line.split()[1:4]) for line in faults(result.stdout)[:-1]] == [
        "Postgres does not",
        "Redis does not",
        "HubSpot's API cannot",
    ]


def test_database_that_was_never_migrated_is_told_what_to_run(
    invoke: Invoke, postgres_server_url: str
) -> None:
    with fresh_database(postgres_server_url) as url:
        result = invoke("doctor", DATABASE_URL=url)

    assert "✗ The database's schema is at revision none" in result.stdout
    assert "  → run: alembic upgrade head" in result.stdout


def test_superuser_is_warned_of(invoke: Invoke) -> None:
    told = invoke("doctor").stdout

    assert "! The role callsync, as which API and workers run, is a superuser: whoever" in told
    assert "→ let DATABASE_URL name a role with rights on rows only" in told
    assert faults(told) == [NO_WORKER, "✗ Faults found: 1."]


def test_owner_of_the_tables_is_warned_of(
    invoke: Invoke, postgres_url: str, make_role: MakeRole
) -> None:
    with psycopg.connect(postgres_url) as superuser:
        tables = superuser.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
    all_rights = [f"SELECT, INSERT, UPDATE, DELETE ON {table}" for (table,) in tables]
    url = make_role(postgres_url, *all_rights)
    role = urlsplit(url).username
    assert f"✓ The role {role} has rights on rows" in invoke("doctor", DATABASE_URL=url).stdout

    with psycopg.connect(postgres_url, autocommit=True) as superuser:
        superuser.execute(f"ALTER TABLE hubspot_quotas OWNER TO {role}")
        superuser.execute(f"GRANT CREATE ON SCHEMA public TO {role}")
        try:
            told = invoke("doctor", DATABASE_URL=url).stdout
        finally:
            superuser.execute("ALTER TABLE hubspot_quotas OWNER TO callsync")

    assert f"! The role {role}, as which API and workers run, owns tables and may create" in told


def test_role_that_lacks_a_right_is_a_fault_with_the_cure(
    invoke: Invoke, postgres_url: str, make_role: MakeRole
) -> None:
    nothing = make_role(postgres_url)
    little = make_role(
        postgres_url, "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public"
    )
    with psycopg.connect(postgres_url, autocommit=True) as superuser:
        superuser.execute(f"REVOKE DELETE ON calls FROM {urlsplit(little).username}")

    told = {url: invoke("doctor", DATABASE_URL=url).stdout for url in (nothing, little)}

    role = urlsplit(nothing).username
    assert (
        f"✗ The role {role} lacks rights: SELECT on activities, INSERT on activities"
        in told[nothing]
    )
    assert "lacks rights: DELETE on calls.\n" in told[little]
    for each in told.values():
        assert "  → run deploy/postgres/roles.sql" in each
        assert "Traceback" not in each


def test_wrong_client_secret_is_found_by_asking_hubspot(invoke: Invoke) -> None:
    result = invoke("doctor", HUBSPOT_CLIENT_SECRET="another")

    assert "✗ HubSpot refuses the client id or secret" in result.stdout


def test_redis_that_may_evict_is_a_warning(invoke: Invoke, valkey_url: str) -> None:
    with connect_redis(valkey_url) as redis:
        redis.config_set("maxmemory-policy", "allkeys-lru")
        try:
            result = invoke("doctor")
        finally:
            redis.config_set("maxmemory-policy", "noeviction")

    assert "! Redis may evict wake-ups" in result.stdout
    assert faults(result.stdout) == [NO_WORKER, "✗ Faults found: 1."]


@pytest.mark.parametrize(("seconds", "kind"), [(-0.1, "fine"), (2, "fine"), (40, "fault")])
def test_clocks_that_differ_by_much_are_a_fault(seconds: float, kind: str) -> None:
    assert judge_clock(seconds).kind == kind


def test_strangers_in_redis_are_a_fault(invoke: Invoke, valkey_url: str) -> None:
    with connect_redis(valkey_url) as redis:
        sign_in(redis, "somebody else")
        try:
            shared = invoke("doctor").stdout
            apart = invoke("doctor", REDIS_PREFIX="somewhere-else").stdout
        finally:
            redis.flushdb()

    assert "✗ Workers of another database use this Redis under the same prefix" in shared
    assert "  → give one of the deployments another REDIS_PREFIX" in shared
    assert "another database" not in apart


def test_certificate_that_nobody_vouches_for_is_told_in_the_same_words_by_both(
    invoke: Invoke, valkey_url: str, tmp_path: Path
) -> None:
    certificate = write_certificate(tmp_path)
    with encrypted(valkey_url, certificate) as address:
        url = f"rediss://:{urlsplit(valkey_url).password}@{address}/0"
        as_redis = invoke("doctor", REDIS_URL=url).stdout
        as_broker = invoke("doctor", BROKER_URL=url).stdout
    # At another port, because Kombu keeps connections for as long as the process lives.
    with encrypted(valkey_url, certificate) as address:
        url = f"rediss://:{urlsplit(valkey_url).password}@{address}/0"
        vouched_for = invoke("doctor", REDIS_URL=f"{url}?ssl_ca_certs={certificate}").stdout

    for name, told in (("REDIS_URL", as_redis), ("BROKER_URL", as_broker)):
        assert "CERTIFICATE_VERIFY_FAILED" in told
        assert f"→ add ?ssl_ca_certs=FILE to {name}" in told
    assert "✓ Redis answers." in vouched_for
    assert faults(vouched_for) == [NO_WORKER, "✗ Faults found: 1."]


def test_public_hosts_without_tls_are_warned_of(invoke: Invoke) -> None:
    plain = {
        "DATABASE_URL": "postgresql://user:secret@db.example.com/calls",
        "REDIS_URL": "redis://:secret@redis.example.com:6379/0",
    }
    result = invoke("doctor", "--offline", **plain)

    assert result.exit_code == 0
    told = " ".join(result.stdout.split())
    assert "! DATABASE_URL leads to db.example.com, a public host, without TLS" in told
    assert "! REDIS_URL leads to redis.example.com, a public host, without TLS" in told
    assert "secret@" not in told
