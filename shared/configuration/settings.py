"""What the processes are told by their environment: read once, checked as a whole at start.

Each process loads the group it uses, and needs nothing beyond it: `DatabaseSettings` (alembic),
`BrokerSettings` (beat), `FlowerSettings`, `WorkerSettings` or `ApiSettings`. A field's name in
capitals is the variable's name. A secret may be given as `NAME_FILE` instead, the path of a mounted
secret. An empty variable counts as absent.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import SecretStr
from sqlalchemy import URL

from shared.configuration import setting_values as values
from shared.configuration.environment import (
    Problem,
    Reading,
    Setting,
    SettingsError,
    list_settings,
    read_settings,
)
from shared.configuration.setting_values import WebhookSecret

__all__ = [
    "CALLBACK_PATH",
    "GROUPS",
    "WRITABLE_ACTIVITIES",
    "Activity",
    "ApiSettings",
    "BrokerSettings",
    "DatabaseSettings",
    "FlowerSettings",
    "IntakeSettings",
    "LogFormat",
    "LogLevel",
    "MatchPolicy",
    "OAuthBinding",
    "Problem",
    "ServiceSettings",
    "Settings",
    "SettingsError",
    "WebhookSecret",
    "WorkerSettings",
    "find_problems",
    "restrict_environment",
]

OAuthBinding = Literal["auto", "cookie", "confirm"]
MatchPolicy = Literal["most_recent", "oldest", "skip"]
Activity = Literal["note", "call"]
# What this build can write. With "call" in it, settings and ACTIVITY accept HubSpot's Call objects.
WRITABLE_ACTIVITIES: Final[tuple[Activity, ...]] = ("note",)
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["json", "console"]

CALLBACK_PATH = "/api/hubspot/oauth/callback"
RANDOM_KEY = 'python -c "import base64, os; print({}base64.b64encode(os.urandom(32)).decode())"'


@dataclass(frozen=True, kw_only=True, repr=False)
class Settings:
    """A group of variables; this one has none, which is what the sandbox reads."""

    @classmethod
    def load(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read and check this group's variables.

        Raises:
            SettingsError: Something is missing or malformed; all of it is listed.
        """
        reading = read_settings(cls, environ)
        problems = [*reading.problems, *cls.find_conflicts(reading)]
        if problems:
            raise SettingsError(problems)
        return cls(**reading.values)

    @classmethod
    def find_conflicts(cls, reading: Reading) -> list[Problem]:  # noqa: ARG003
        """Return what is wrong between settings."""
        return []


@dataclass(frozen=True, kw_only=True, repr=False)
class DatabaseSettings(Settings):
    """What alembic uses."""

    database_url: Annotated[
        SecretStr,
        Setting(
            values.database_url,
            "write it like postgresql://user:password@host:5432/database",
            is_required=True,
            is_secret=True,
        ),
    ]

    @property
    def sqlalchemy_url(self) -> URL:
        """The database as SQLAlchemy reaches it, by psycopg; its text hides the password."""
        return values.sqlalchemy_url(self.database_url.get_secret_value())


@dataclass(frozen=True, kw_only=True, repr=False)
class IntakeSettings(DatabaseSettings):
    """What whoever stores calls uses."""

    activity: Annotated[
        Activity,
        Setting(
            values.one_of(*WRITABLE_ACTIVITIES),
            "choose what a call becomes in HubSpot",
            default="note",
        ),
    ]


def _derive_broker(found: Mapping[str, Any]) -> SecretStr | None:
    url: SecretStr | None = found["redis_url"]
    return url


REDIS_CURE: Final = "write it like redis://host:6379/0"


@dataclass(frozen=True, kw_only=True, repr=False)
class BrokerSettings(Settings):
    """What beat uses: where messages go, and how it logs. It holds no key to anything else."""

    redis_url: Annotated[SecretStr | None, Setting(values.redis_url, REDIS_CURE, is_secret=True)]
    broker_url: Annotated[
        SecretStr,
        Setting(
            values.broker_url,
            "leave it out to use REDIS_URL, or write it like amqp://user:password@host:5672/vhost",
            default=_derive_broker,
            is_secret=True,
        ),
    ]
    redis_prefix: Annotated[
        str,
        Setting(
            values.redis_prefix,
            "name this deployment, if it shares Redis or RabbitMQ with another: like staging",
            default=values.DEFAULT_PREFIX,
        ),
    ]
    log_level: Annotated[
        LogLevel,
        Setting(values.one_of("debug", "info", "warning", "error"), "choose one", default="info"),
    ]
    log_format: Annotated[
        LogFormat | None,
        Setting(values.one_of("json", "console"), "leave it out for JSON except on a terminal"),
    ]

    @classmethod
    def find_conflicts(cls, reading: Reading) -> list[Problem]:
        if {"redis_url", "broker_url"} & reading.given:
            return []
        return [Problem("REDIS_URL", "missing, and BROKER_URL too", REDIS_CURE)]


@dataclass(frozen=True, kw_only=True, repr=False)
class FlowerSettings(BrokerSettings):
    """What Flower uses: the broker that tells it of workers, and its own password."""

    flower_basic_auth: Annotated[
        SecretStr | None, Setting(values.basic_auth, "write it as user:password", is_secret=True)
    ]


@dataclass(frozen=True, kw_only=True, repr=False)
class ServiceSettings(BrokerSettings, IntakeSettings):
    """What the API and the worker both use."""

    redis_url: Annotated[
        SecretStr, Setting(values.redis_url, REDIS_CURE, is_required=True, is_secret=True)
    ]
    hubspot_client_id: Annotated[
        str, Setting(values.plain, "copy it from your HubSpot app's Auth tab", is_required=True)
    ]
    hubspot_client_secret: Annotated[
        SecretStr,
        Setting(
            values.secret,
            "copy it from your HubSpot app's Auth tab",
            is_required=True,
            is_secret=True,
        ),
    ]
    public_url: Annotated[
        str,
        Setting(
            values.base_url,
            "give this service's address as browsers see it, https://…",
            is_required=True,
        ),
    ]
    token_encryption_keys: Annotated[
        tuple[bytes, ...],
        Setting(
            values.encryption_keys,
            f"make one with: {RANDOM_KEY.format('')}",
            is_required=True,
            is_secret=True,
        ),
    ]
    hubspot_api_url: Annotated[
        str,
        Setting(values.api_url, "leave it out to use HubSpot", default="https://api.hubapi.com"),
    ]
    hubspot_app_url: Annotated[
        str,
        Setting(values.base_url, "leave it out to use HubSpot", default="https://app.hubspot.com"),
    ]
    hubspot_scopes: Annotated[
        tuple[str, ...],
        Setting(
            values.scopes,
            "list the scopes of your HubSpot app, separated by blanks",
            default="oauth crm.objects.contacts.read crm.objects.contacts.write",
        ),
    ]
    default_region: Annotated[
        str, Setting(values.region, "give a country code such as US, GB or DE", default="US")
    ]
    match_policy: Annotated[
        MatchPolicy,
        Setting(
            values.one_of("most_recent", "oldest", "skip"),
            "choose what happens when several contacts have the number",
            default="most_recent",
        ),
    ]
    payload_retention_days: Annotated[
        int,
        Setting(
            values.whole_number(1, 3650), "give the days to keep a call's contents", default="30"
        ),
    ]
    log_retention_days: Annotated[
        int | None,
        Setting(
            values.whole_number(1, 3650),
            "give the days to keep entries of the sync log, or leave it out to keep them for ever",
        ),
    ]
    log_number_retention_days: Annotated[
        int | None,
        Setting(
            values.whole_number(1, 3650),
            "give the days to keep phone numbers in the sync log, or leave it out to keep them as"
            " long as its entries",
        ),
    ]
    audit_retention_days: Annotated[
        int,
        Setting(
            values.whole_number(1, 3650),
            "give the days to keep the audit trail",
            default="400",
        ),
    ]
    otel_exporter_otlp_endpoint: Annotated[
        str | None,
        Setting(values.collector_url, "give the collector's address, http://host:4318"),
    ]

    @classmethod
    def find_conflicts(cls, reading: Reading) -> list[Problem]:
        numbers = reading.values.get("log_number_retention_days")
        contents = reading.values.get("payload_retention_days")
        if numbers is None or contents is None or numbers >= contents:
            return []
        return [
            Problem(
                "LOG_NUMBER_RETENTION_DAYS",
                f"is {numbers}, but contents, which hold numbers too, are kept for {contents} days",
                "give as many days as PAYLOAD_RETENTION_DAYS or more, or shorten that",
            )
        ]

    @property
    def redirect_uri(self) -> str:
        """Where HubSpot sends the browser back; the HubSpot app must list exactly this."""
        return self.public_url + CALLBACK_PATH


@dataclass(frozen=True, kw_only=True, repr=False)
class WorkerSettings(ServiceSettings):
    """What the worker uses."""

    metrics_port: Annotated[
        range | None,
        Setting(values.ports, "give a port, or several to choose from, like 9464-9479"),
    ]


def _derive_dashboard(found: Mapping[str, Any]) -> str:
    return f"{found['public_url']}/"


def _derive_origins(found: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(values.origin(found[name]) for name in ("public_url", "dashboard_url"))
    )


CLAIM_CURES = {
    "jwt_audience": "give the aud claim that tokens for this service have, or any",
    "jwt_issuer": "give the iss claim that your tokens have, or any",
}


@dataclass(frozen=True, kw_only=True, repr=False)
class ApiSettings(ServiceSettings):
    """What the API uses."""

    webhook_secrets: Annotated[
        tuple[WebhookSecret, ...],
        Setting(
            values.webhook_secrets,
            "make one with: " + RANDOM_KEY.format("'whsec_' + "),
            is_required=True,
            is_secret=True,
        ),
    ]
    jwt_secret: Annotated[
        SecretStr | None,
        Setting(values.secret, f"make one with: {RANDOM_KEY.format('')}", is_secret=True),
    ]
    jwt_jwks_url: Annotated[
        str | None,
        Setting(values.web_url, "give the address of your identity provider's keys, https://…"),
    ]
    jwt_audience: Annotated[str | None, Setting(values.claim, CLAIM_CURES["jwt_audience"])]
    jwt_issuer: Annotated[str | None, Setting(values.claim, CLAIM_CURES["jwt_issuer"])]
    jwt_max_age: Annotated[
        timedelta,
        Setting(
            values.duration(timedelta(minutes=1), timedelta(days=30)),
            "give the longest time that a token may be used after it was issued, like 24h",
            default="24h",
        ),
    ]
    health_port: Annotated[
        int | None,
        Setting(values.whole_number(1, 65_535), "give a port that probes and Prometheus ask"),
    ]
    built_in_page: Annotated[
        bool,
        Setting(values.switch, "choose off when DASHBOARD_URL has a page of yours", default="on"),
    ]
    dashboard_url: Annotated[
        str,
        Setting(
            values.web_url,
            "give the page to return to after connecting, https://…",
            default=_derive_dashboard,
        ),
    ]
    allowed_origins: Annotated[
        tuple[str, ...],
        Setting(
            values.origins,
            "list exact origins, separated by commas, like https://app.example.com",
            default=_derive_origins,
        ),
    ]
    oauth_binding: Annotated[
        OAuthBinding,
        Setting(values.one_of("auto", "cookie", "confirm"), "choose one", default="auto"),
    ]
    trusted_proxies: Annotated[
        int,
        Setting(
            values.whole_number(0, 10),
            "count the proxies of yours that add to X-Forwarded-For, or leave it out for none",
            default="0",
        ),
    ]
    self_service_sources: Annotated[
        bool,
        Setting(
            values.switch, "choose off when only the platform sets up call sources", default="on"
        ),
    ]
    dashboard_requests_per_minute: Annotated[
        int,
        Setting(
            values.whole_number(60, 1_000_000),
            "give how often a user of a workspace may read the dashboard's data in a minute",
            default="1200",
        ),
    ]
    webhook_calls_per_minute: Annotated[
        int,
        Setting(
            values.whole_number(60, 10_000_000),
            "give how many calls a tenant may send in a minute, on the average",
            default="3000",
        ),
    ]

    @property
    def trusted_origins(self) -> tuple[str, ...]:
        """The allowed origins and always our own, which the built-in dashboard returns to."""
        return tuple(dict.fromkeys((values.origin(self.public_url), *self.allowed_origins)))

    @classmethod
    def find_conflicts(cls, reading: Reading) -> list[Problem]:
        return [
            *super().find_conflicts(reading),
            *_find_token_conflicts(reading),
            *_find_page_conflicts(reading),
        ]


def _find_token_conflicts(reading: Reading) -> list[Problem]:
    present = {"jwt_secret", "jwt_jwks_url"} & reading.given
    if len(present) != 1:
        problem = "both are set, but only one kind of token is accepted" if present else "missing"
        cure = "set JWT_SECRET to verify HS256 tokens, or JWT_JWKS_URL to verify by public keys"
        return [Problem("JWT_SECRET or JWT_JWKS_URL", problem, cure)]
    if "jwt_jwks_url" in present:
        # One provider signs for many services: without these, another's tokens are good here.
        return [
            Problem(name.upper(), "missing, and JWT_JWKS_URL is set", cure)
            for name, cure in CLAIM_CURES.items()
            if name not in reading.given
        ]
    secret = reading.values.get("jwt_secret")
    if secret is None or _is_local(reading.values.get("public_url", "")):
        return []
    size = len(secret.get_secret_value().encode())
    if size >= values.JWT_SECRET_BYTES:
        return []
    return [
        Problem(
            "JWT_SECRET",
            f"is {size} bytes, needs {values.JWT_SECRET_BYTES} or more unless PUBLIC_URL is on"
            " localhost",
            f"make one with: {RANDOM_KEY.format('')}",
        )
    ]


def _find_page_conflicts(reading: Reading) -> list[Problem]:
    """A page that is switched off cannot be where browsers return to."""
    found = reading.values
    if found.get("built_in_page", True):
        return []
    cure = "give the page of yours that has the dashboard, https://…"
    if "dashboard_url" not in reading.given:
        return [Problem("DASHBOARD_URL", "missing, and BUILT_IN_PAGE is off", cure)]
    url, own = found.get("dashboard_url"), found.get("public_url")
    if url and own and values.origin(url) == values.origin(own) and _is_own_page(url, own):
        return [Problem("DASHBOARD_URL", "is a page that BUILT_IN_PAGE=off switches off", cure)]
    return []


def _is_own_page(url: str, public_url: str) -> bool:
    path = urlsplit(url).path.removeprefix(urlsplit(public_url).path)
    return path.rstrip("/") in {"", "/embed/example"}


GROUPS: Final[tuple[type[Settings], ...]] = (ApiSettings, WorkerSettings, FlowerSettings)
"""Every variable that there is belongs to one of these."""


def find_problems(environ: Mapping[str, str] = os.environ) -> list[Problem]:
    """Return what is wrong with the settings of any process, each name once."""
    found: dict[str, Problem] = {}
    for group in GROUPS:
        try:
            group.load(environ)
        except SettingsError as error:
            for problem in error.problems:
                found.setdefault(problem.name, problem)
    return list(found.values())


def restrict_environment(environ: Mapping[str, str], group: type[Settings]) -> dict[str, str]:
    """Leave out the variables that only processes of other groups read; foreign ones stay."""
    names = {name.upper() for each in GROUPS for name in list_settings(each)}
    names -= {name.upper() for name in list_settings(group)}
    return {name: text for name, text in environ.items() if name.removesuffix("_FILE") not in names}


def _is_local(url: str) -> bool:
    return urlsplit(url).hostname in values.LOCAL_HOSTS
