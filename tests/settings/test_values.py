import base64
from datetime import timedelta

import pytest
from sqlalchemy import create_engine

from shared.configuration.settings import (
    ApiSettings,
    DatabaseSettings,
    WorkerSettings,
    find_problems,
)
from tests.settings.environment import KEY, SIGNING_KEY, make_environ


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DATABASE_URL", "mysql://user@host/db"),
        ("DATABASE_URL", "postgresql://host:port/db"),
        ("DATABASE_URL", "postgresql://host/db?no_such_option=1"),
        ("DATABASE_URL", "host=localhost dbname=callsync"),
        ("REDIS_URL", "http://cache.example"),
        ("REDIS_URL", "redis://"),
        ("REDIS_URL", "redis://cache.example:port"),
        ("REDIS_URL", "redis://cache.example/0?protocol=2"),
        ("REDIS_URL", "unix://"),
        ("REDIS_URL", "rediss://cache.example?ssl_cert_reqs=perhaps"),
        ("BROKER_URL", "amqps://rabbit.example?ssl_cert_reqs=perhaps"),
        ("REDIS_PREFIX", "a:b"),
        ("REDIS_PREFIX", "*"),
        ("REDIS_PREFIX", "a b"),
        ("REDIS_PREFIX", "x" * 41),
        ("PUBLIC_URL", "http://calls.example.com"),
        ("PUBLIC_URL", "calls.example.com"),
        ("PUBLIC_URL", "https://user:password@calls.example.com"),
        ("PUBLIC_URL", "https://calls.example.com/?page=1"),
        ("PUBLIC_URL", "https://calls.example.com/a b"),
        ("PUBLIC_URL", "https://[calls"),
        ("JWT_JWKS_URL", "http://login.example.com/jwks.json"),
        ("TOKEN_ENCRYPTION_KEYS", f"{KEY},{KEY}"),
        ("TOKEN_ENCRYPTION_KEYS", "not base64!"),
        ("TOKEN_ENCRYPTION_KEYS", base64.b64encode(b"k" * 16).decode()),
        ("TOKEN_ENCRYPTION_KEYS", ","),
        ("WEBHOOK_SECRETS", "c2VjcmV0"),
        ("WEBHOOK_SECRETS", "whsec_c2VjcmV0"),
        ("WEBHOOK_SECRETS", "whsec_!"),
        ("WEBHOOK_SECRETS", f"={SIGNING_KEY}"),
        ("WEBHOOK_SECRETS", f"ws_1:{SIGNING_KEY}"),
        ("WEBHOOK_SECRETS", f"user_1/={SIGNING_KEY}"),
        ("WEBHOOK_SECRETS", f"/ws_1={SIGNING_KEY}"),
        ("WEBHOOK_SECRETS", f"/={SIGNING_KEY}"),
        ("WEBHOOK_SECRETS", f"user_1/ws_1{SIGNING_KEY}"),
        ("WEBHOOK_SECRETS", f"a/b/c={SIGNING_KEY}"),
        ("WEBHOOK_SECRETS", f"50%={SIGNING_KEY}"),
        ("WEBHOOK_SECRETS", f"%2={SIGNING_KEY}"),
        ("WEBHOOK_SECRETS", f"%FF={SIGNING_KEY}"),
        ("WEBHOOK_SECRETS", f"ws%00={SIGNING_KEY}"),
        ("WEBHOOK_SECRETS", f"%20/ws_1={SIGNING_KEY}"),
        ("WEBHOOK_SECRETS", f"{'w' * 256}={SIGNING_KEY}"),
        ("JWT_MAX_AGE", "24"),
        ("JWT_MAX_AGE", "h"),
        ("JWT_MAX_AGE", "1.5h"),
        ("JWT_MAX_AGE", "-1h"),
        ("JWT_MAX_AGE", "²h"),
        ("JWT_MAX_AGE", "59s"),
        ("JWT_MAX_AGE", "0d"),
        ("JWT_MAX_AGE", "31d"),
        ("JWT_MAX_AGE", "9" * 5000 + "d"),
        ("JWT_MAX_AGE", "for ever"),
        ("BUILT_IN_PAGE", "maybe"),
        ("HUBSPOT_SCOPES", "crm.objects.contacts.read"),
        ("ALLOWED_ORIGINS", "*"),
        ("ALLOWED_ORIGINS", "https://*.example.com"),
        ("ALLOWED_ORIGINS", "https://app.example.com/page"),
        ("ALLOWED_ORIGINS", "http://app.example.com"),
        ("ALLOWED_ORIGINS", "null"),
        ("OAUTH_BINDING", "none"),
        ("DEFAULT_REGION", "USA"),
        ("MATCH_POLICY", "newest"),
        ("PAYLOAD_RETENTION_DAYS", "0"),
        ("PAYLOAD_RETENTION_DAYS", "-1"),
        ("PAYLOAD_RETENTION_DAYS", "1.5"),
        ("PAYLOAD_RETENTION_DAYS", "²"),
        ("PAYLOAD_RETENTION_DAYS", "9" * 5000),
        ("LOG_RETENTION_DAYS", "0"),
        ("LOG_RETENTION_DAYS", "never"),
        ("LOG_NUMBER_RETENTION_DAYS", "0"),
        ("LOG_NUMBER_RETENTION_DAYS", "29"),
        ("AUDIT_RETENTION_DAYS", "0"),
        ("TRUSTED_PROXIES", "-1"),
        ("TRUSTED_PROXIES", "all"),
        ("FLOWER_BASIC_AUTH", "user"),
        ("FLOWER_BASIC_AUTH", ":password"),
        ("METRICS_PORT", "http"),
        ("METRICS_PORT", "0"),
        ("METRICS_PORT", "65536"),
        ("METRICS_PORT", "9479-9464"),
        ("METRICS_PORT", "9464-"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "otel-collector:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"),
        ("LOG_LEVEL", "verbose"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_a_value_that_cannot_work_is_refused_at_start(name: str, text: str) -> None:
    problems = find_problems(make_environ(**{name: text}))
    assert name in {problem.name for problem in problems}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("PUBLIC_URL", "https://calls.example.com/", "https://calls.example.com"),
        ("PUBLIC_URL", "https://example.com/calls/", "https://example.com/calls"),
        ("PUBLIC_URL", "http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("PUBLIC_URL", "http://[::1]:8000", "http://[::1]:8000"),
        ("HUBSPOT_API_URL", "http://localhost:8400/", "http://localhost:8400"),
        ("HUBSPOT_SCOPES", "oauth  tickets", ("oauth", "tickets")),
        ("DEFAULT_REGION", "gb", "GB"),
        ("MATCH_POLICY", "SKIP", "skip"),
        ("PAYLOAD_RETENTION_DAYS", "7", 7),
        ("LOG_RETENTION_DAYS", "400", 400),
        ("LOG_NUMBER_RETENTION_DAYS", "30", 30),
        ("AUDIT_RETENTION_DAYS", "90", 90),
        ("TRUSTED_PROXIES", "2", 2),
        ("JWT_AUDIENCE", "callsync", "callsync"),
        ("JWT_AUDIENCE", "Any", None),
        ("JWT_MAX_AGE", "24h", timedelta(hours=24)),
        ("JWT_MAX_AGE", "90M", timedelta(minutes=90)),
        ("JWT_MAX_AGE", "60s", timedelta(minutes=1)),
        ("JWT_MAX_AGE", "30d", timedelta(days=30)),
        ("BUILT_IN_PAGE", "ON", True),
        (
            "ALLOWED_ORIGINS",
            "https://App.example.com:443/, http://localhost:3000,http://[::1]:3000",
            ("https://app.example.com", "http://localhost:3000", "http://[::1]:3000"),
        ),
        ("LOG_FORMAT", "JSON", "json"),
    ],
)
def test_a_value_is_read_in_its_usual_spellings(name: str, text: str, expected: object) -> None:
    loaded = ApiSettings.load(make_environ(**{name: text}))
    assert getattr(loaded, name.lower()) == expected


@pytest.mark.parametrize("text", ["redis://cache.example", "unix:///run/valkey.sock?db=1"])
def test_redis_is_reached_by_socket_too(text: str) -> None:
    assert ApiSettings.load(make_environ(REDIS_URL=text)).redis_url.get_secret_value() == text


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        (
            "postgres://user:p%40ss@db.example:5433/calls?sslmode=require",
            {
                "host": "db.example",
                "port": 5433,
                "user": "user",
                "password": "p@ss",
                "dbname": "calls",
                "sslmode": "require",
            },
        ),
        ("postgresql:///calls?host=/run/pg", {"host": "/run/pg", "dbname": "calls"}),
        (
            "postgresql://user@%2Frun%2Fpg/calls",
            {"host": "/run/pg", "user": "user", "dbname": "calls"},
        ),
        (
            "postgresql+psycopg://one:1,two:2/calls",
            {"host": "one,two", "port": "1,2", "dbname": "calls"},
        ),
        ("postgresql://[::1]/calls", {"host": "::1", "dbname": "calls"}),
    ],
)
def test_psycopg_is_given_what_the_database_url_says(
    text: str, arguments: dict[str, object]
) -> None:
    url = DatabaseSettings.load({"DATABASE_URL": text}).sqlalchemy_url
    _, given = create_engine(url).dialect.create_connect_args(url)
    assert {name: given[name] for name in given if name != "context"} == arguments


@pytest.mark.parametrize(("text", "ports"), [("9464", [9464]), ("9464-9466", [9464, 9465, 9466])])
def test_metrics_port_is_one_or_several_to_choose_from(text: str, ports: list[int]) -> None:
    settings = WorkerSettings.load(make_environ(METRICS_PORT=text))
    assert list(settings.metrics_port or ()) == ports
