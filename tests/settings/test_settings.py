from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.configuration.environment import list_settings
from shared.configuration.settings import (
    GROUPS,
    ApiSettings,
    BrokerSettings,
    DatabaseSettings,
    FlowerSettings,
    SettingsError,
    WorkerSettings,
    find_problems,
    restrict_environment,
)
from tests.settings.environment import KEY, OTHER_KEY, SIGNING_KEY, make_environ

NAMES = sorted({name.upper() for group in GROUPS for name in list_settings(group)})
ENVIRON_TEXT = st.text(st.characters(exclude_characters="\0"))


def names_at_fault(environ: dict[str, str]) -> list[str]:
    return [problem.name for problem in find_problems(environ)]


def test_defaults_follow_from_what_is_required() -> None:
    loaded = ApiSettings.load(make_environ())
    assert loaded.hubspot_api_url == "https://api.hubapi.com"
    assert loaded.hubspot_app_url == "https://app.hubspot.com"
    assert loaded.hubspot_scopes == (
        "oauth",
        "crm.objects.contacts.read",
        "crm.objects.contacts.write",
    )
    assert loaded.dashboard_url == "https://calls.example.com/"
    assert loaded.allowed_origins == ("https://calls.example.com",)
    assert loaded.oauth_binding == "auto"
    assert loaded.default_region == "US"
    assert loaded.match_policy == "most_recent"
    assert loaded.payload_retention_days == 30
    assert loaded.log_retention_days is None
    assert loaded.log_number_retention_days is None
    assert (loaded.audit_retention_days, loaded.trusted_proxies) == (400, 0)
    assert (loaded.log_level, loaded.log_format) == ("info", None)
    assert (loaded.jwt_jwks_url, loaded.jwt_audience, loaded.jwt_issuer) == (None,) * 3
    assert loaded.redirect_uri == "https://calls.example.com/api/hubspot/oauth/callback"


def test_every_missing_and_malformed_name_is_in_one_error_with_a_cure() -> None:
    environ = make_environ(
        REDIS_URL=None, JWT_SECRET=None, DEFAULT_REGION="XX", TOKEN_ENCRYPTION_KEYS=f"{KEY},AAAA"
    )
    with pytest.raises(SettingsError) as caught:
        ApiSettings.load(environ)
    assert [problem.name for problem in caught.value.problems] == [
        "REDIS_URL",
        "TOKEN_ENCRYPTION_KEYS",
        "DEFAULT_REGION",
        "JWT_SECRET or JWT_JWKS_URL",
    ]
    message = str(caught.value)
    assert "REDIS_URL: missing; write it like redis://" in message
    assert "key 2 is 3 bytes, needs 32; make one with: python -c" in message


def test_each_process_checks_only_what_it_uses() -> None:
    only_database = {"DATABASE_URL": "postgresql:///callsync", "LOG_LEVEL": "loud"}
    DatabaseSettings.load(only_database)
    WorkerSettings.load(make_environ(WEBHOOK_SECRETS=None, JWT_SECRET=None))
    ApiSettings.load(make_environ(FLOWER_BASIC_AUTH="no colon"))
    assert names_at_fault(make_environ(WEBHOOK_SECRETS=None, FLOWER_BASIC_AUTH="no colon")) == [
        "WEBHOOK_SECRETS",
        "FLOWER_BASIC_AUTH",
    ]


@pytest.mark.parametrize("group", [BrokerSettings, FlowerSettings])
def test_beat_and_flower_need_the_broker_and_hold_no_key(group: type[BrokerSettings]) -> None:
    by_redis = group.load({"REDIS_URL": "redis://cache/0"})
    by_rabbit = group.load({"BROKER_URL": "amqp://broker:5672//"})

    assert by_redis.broker_url.get_secret_value() == "redis://cache/0"
    assert (by_rabbit.broker_url.get_secret_value(), by_rabbit.redis_url) == (
        "amqp://broker:5672//",
        None,
    )
    secrets = {name for name, setting in list_settings(group).items() if setting.is_secret}
    assert secrets <= {"redis_url", "broker_url", "flower_basic_auth"}


@pytest.mark.parametrize("group", [BrokerSettings, FlowerSettings])
def test_beat_and_flower_say_that_they_know_no_broker(group: type[BrokerSettings]) -> None:
    with pytest.raises(SettingsError) as caught:
        group.load({"REDIS_URL": " "})

    [problem] = caught.value.problems
    assert problem == (
        "REDIS_URL",
        "missing, and BROKER_URL too",
        "write it like redis://host:6379/0",
    )


def test_environment_of_one_process_has_nothing_of_the_others() -> None:
    environ = make_environ(
        FLOWER_BASIC_AUTH="user:password", JWT_SECRET=None, JWT_SECRET_FILE="/run/secrets/jwt"
    ) | {"HOME": "/root", "LOG_LEVEL": "debug", "PROFILE": "x"}

    assert restrict_environment(environ, BrokerSettings).keys() == {
        *("REDIS_URL", "LOG_LEVEL", "HOME", "PROFILE")
    }
    assert restrict_environment(environ, DatabaseSettings).keys() == {
        *("DATABASE_URL", "HOME", "PROFILE")
    }
    assert environ.keys() - restrict_environment(environ, ApiSettings).keys() == {
        "FLOWER_BASIC_AUTH"
    }


def test_a_sound_environment_has_no_problems() -> None:
    assert find_problems(make_environ()) == []


def test_secrets_are_hidden_wherever_settings_are_printed() -> None:
    environ = make_environ(FLOWER_BASIC_AUTH="flower:hunter2")
    for loaded in (ApiSettings.load(environ), WorkerSettings.load(environ)):
        printed = f"{loaded!r} {loaded.redis_url} {loaded.sqlalchemy_url}"
        assert "hunter2" not in printed
        assert "kkkk" not in printed
    flower = FlowerSettings.load(environ)
    assert "hunter2" not in f"{flower!r} {flower.broker_url} {flower.flower_basic_auth}"
    shown_secrets = repr(ApiSettings.load(environ).webhook_secrets)
    assert SIGNING_KEY not in shown_secrets


@settings(deadline=None)
@given(name=st.sampled_from(NAMES), text=ENVIRON_TEXT)
def test_any_text_is_accepted_or_refused_as_a_setting(name: str, text: str) -> None:
    try:
        ApiSettings.load(make_environ(**{name: text}))
    except SettingsError as error:
        assert any(name in problem.name for problem in error.problems)  # noqa: PT017


@pytest.mark.parametrize("name", [n for n in NAMES if n.endswith(("SECRET", "SECRETS", "KEYS"))])
@pytest.mark.parametrize("text", ["hunter2", "hunter2,hunter2", "x=hunter2", "whsec_hunter2"])
def test_a_malformed_secret_is_not_quoted(name: str, text: str) -> None:
    printed = " ".join(" ".join(problem) for problem in find_problems(make_environ(**{name: text})))
    assert "hunter2" not in printed


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "FLOWER_BASIC_AUTH"])
@pytest.mark.parametrize(
    "text", ["hunter2", "redis://:hunter2", "postgresql://u:hunter2@h:hunter2/db", "://[hunter2"]
)
def test_a_malformed_url_with_a_password_is_not_quoted(name: str, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        ApiSettings.load(make_environ(**{"FLOWER_BASIC_AUTH": "", "REDIS_URL": "", name: text}))
    assert "hunter2" not in str(caught.value)


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    mounted = tmp_path / "client secret"
    mounted.write_text("from-file\n")
    environ = make_environ(HUBSPOT_CLIENT_SECRET=None, HUBSPOT_CLIENT_SECRET_FILE=str(mounted))
    loaded = WorkerSettings.load(environ)
    assert loaded.hubspot_client_secret.get_secret_value() == "from-file"


def test_a_secret_file_that_is_absent_or_empty_or_doubled_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    for path, why in (("absent", "cannot be read"), ("empty", "empty file")):
        environ = make_environ(JWT_SECRET=None, JWT_SECRET_FILE=str(tmp_path / path))
        assert [(p.name, why in p.problem) for p in find_problems(environ)] == [
            ("JWT_SECRET", True)
        ]
    (tmp_path / "sound").write_text("x" * 32)
    doubled = make_environ(JWT_SECRET_FILE=str(tmp_path / "sound"))
    assert names_at_fault(doubled) == ["JWT_SECRET"]


def test_exactly_one_way_to_verify_dashboard_tokens_is_needed() -> None:
    keys_url = make_provider_environ()["JWT_JWKS_URL"]
    loaded = ApiSettings.load(make_provider_environ())
    assert (loaded.jwt_secret, loaded.jwt_jwks_url) == (None, keys_url)
    assert names_at_fault(make_environ(JWT_JWKS_URL=keys_url)) == ["JWT_SECRET or JWT_JWKS_URL"]
    assert names_at_fault(make_environ(JWT_SECRET=" ")) == ["JWT_SECRET or JWT_JWKS_URL"]


def make_provider_environ(**changes: str | None) -> dict[str, str]:
    """An environment in which an identity provider signs tokens."""
    return make_environ(
        **{
            "JWT_SECRET": None,
            "JWT_JWKS_URL": "https://login.example.com/jwks.json",
            "JWT_AUDIENCE": "calls",
            "JWT_ISSUER": "https://login.example.com",
            **changes,
        }
    )


@pytest.mark.parametrize(
    "missing", [["JWT_AUDIENCE"], ["JWT_ISSUER"], ["JWT_AUDIENCE", "JWT_ISSUER"]]
)
def test_providers_tokens_need_audience_and_issuer(missing: list[str]) -> None:
    problems = find_problems(make_provider_environ(**dict.fromkeys(missing)))
    assert [each.name for each in problems] == missing
    for each in problems:
        assert each.problem == "missing, and JWT_JWKS_URL is set"
        assert each.cure.endswith("or any")


def test_any_audience_and_issuer_is_a_choice_that_is_spelt_out() -> None:
    loaded = ApiSettings.load(make_provider_environ(JWT_AUDIENCE="any", JWT_ISSUER="any"))
    assert (loaded.jwt_audience, loaded.jwt_issuer) == (None, None)


def test_tokens_of_the_shared_secret_need_neither() -> None:
    loaded = ApiSettings.load(make_environ())
    assert (loaded.jwt_audience, loaded.jwt_issuer) == (None, None)
    assert loaded.jwt_max_age == timedelta(hours=24)


def test_built_in_page_is_there_unless_it_is_switched_off() -> None:
    assert ApiSettings.load(make_environ()).built_in_page
    elsewhere = "https://app.example.com/calls"
    loaded = ApiSettings.load(make_environ(BUILT_IN_PAGE="off", DASHBOARD_URL=elsewhere))
    assert not loaded.built_in_page


@pytest.mark.parametrize(
    ("dashboard_url", "problem"),
    [
        (None, "missing, and BUILT_IN_PAGE is off"),
        ("https://calls.example.com", "is a page that BUILT_IN_PAGE=off switches off"),
        ("https://calls.example.com:443/?tab=1", "is a page that BUILT_IN_PAGE=off switches off"),
        (
            "https://calls.example.com/embed/example",
            "is a page that BUILT_IN_PAGE=off switches off",
        ),
    ],
)
def test_without_the_built_in_page_another_is_needed(
    dashboard_url: str | None, problem: str
) -> None:
    environ = make_environ(BUILT_IN_PAGE="off", DASHBOARD_URL=dashboard_url)
    assert [(each.name, each.problem) for each in find_problems(environ)] == [
        ("DASHBOARD_URL", problem)
    ]
    find_problems(make_environ(BUILT_IN_PAGE="off", PUBLIC_URL=None, DASHBOARD_URL=dashboard_url))


@pytest.mark.parametrize("binding", ["auto", "cookie", "confirm"])
def test_binding_is_chosen_for_the_deployment(binding: str) -> None:
    assert ApiSettings.load(make_environ(OAUTH_BINDING=binding)).oauth_binding == binding


def test_allowed_origins_default_to_those_of_both_pages() -> None:
    environ = make_environ(DASHBOARD_URL="https://App.example.com:443/settings?tab=crm#hubspot")
    assert ApiSettings.load(environ).allowed_origins == (
        "https://calls.example.com",
        "https://app.example.com",
    )


def test_own_origin_is_trusted_though_only_others_are_listed() -> None:
    environ = make_environ(ALLOWED_ORIGINS="https://app.example.com")
    assert ApiSettings.load(environ).trusted_origins == (
        "https://calls.example.com",
        "https://app.example.com",
    )


@pytest.mark.parametrize(
    ("owner", "user_id", "workspace_id"),
    [
        ("ws_1", None, "ws_1"),
        ("user_1/ws_1", "user_1", "ws_1"),
        (" user_1 / ws_1 ", "user_1", "ws_1"),
        ("a%2Fb/c%2fd", "a/b", "c/d"),
        ("a%2Cb", None, "a,b"),
        ("50%25/x=y", "50%", "x=y"),
        ("J%C3%BCrgen/Büro", "Jürgen", "Büro"),
        ("whsec_/whsec_1", "whsec_", "whsec_1"),
        ("a+b@example.com/ws 1", "a+b@example.com", "ws 1"),
    ],
)
def test_webhook_secret_belongs_to_a_workspace_or_to_one_of_its_users(
    owner: str, user_id: str | None, workspace_id: str
) -> None:
    loaded = ApiSettings.load(make_environ(WEBHOOK_SECRETS=f"{owner}={SIGNING_KEY}"))
    (found,) = loaded.webhook_secrets
    assert (found.user_id, found.workspace_id) == (user_id, workspace_id)
    assert found.may_name("somebody", workspace_id) == (user_id is None)
    assert found.may_name(user_id or "anybody", workspace_id)
    assert not found.may_name(user_id or "anybody", "elsewhere")


def test_owner_that_cannot_be_read_is_told_by_its_place_and_cure() -> None:
    for owner, words in {
        "a/b/c": "entry 2 has several /; within an id a / is written %2F",
        "50%": "entry 2 has a % in an id; there it is written %25",
        "user_1/": "entry 2 has an id that is not 1 to 255 printable characters",
        "a:b": "entry 2 is not whsec_…, workspace_id=whsec_… or user_id/workspace_id=whsec_…",
    }.items():
        entry = f"{owner}{'' if ':' in owner else '='}{SIGNING_KEY}"
        (problem,) = find_problems(make_environ(WEBHOOK_SECRETS=f"{SIGNING_KEY},{entry}"))
        assert problem.problem == words


def test_keys_and_webhook_secrets_keep_their_order_and_owners() -> None:
    loaded = ApiSettings.load(
        make_environ(
            TOKEN_ENCRYPTION_KEYS=f"{KEY}, {OTHER_KEY}",
            WEBHOOK_SECRETS=f"{SIGNING_KEY},ws=1={SIGNING_KEY}",
        )
    )
    assert loaded.token_encryption_keys == (b"k" * 32, b"o" * 32)
    secrets = [(s.workspace_id, s.secret.get_secret_value()) for s in loaded.webhook_secrets]
    assert secrets == [(None, SIGNING_KEY), ("ws=1", SIGNING_KEY)]


@pytest.mark.parametrize("secret", ["x", "jwt-secret", "x" * 31, "é" * 15])
def test_jwt_secret_that_can_be_guessed_is_refused_in_public(secret: str) -> None:
    with pytest.raises(SettingsError, match=r"JWT_SECRET: is \d+ bytes.*make one with") as caught:
        ApiSettings.load(make_environ(JWT_SECRET=secret))
    assert secret == "x" or secret not in str(caught.value)


@pytest.mark.parametrize(
    ("public_url", "secret"),
    [
        ("https://calls.example.com", "x" * 32),
        ("https://calls.example.com", "é" * 16),
        ("http://localhost:8000", "x"),
        ("http://127.0.0.1:8000", "x"),
        ("http://[::1]:8000", "x"),
    ],
)
def test_jwt_secret_is_long_or_stays_on_this_machine(public_url: str, secret: str) -> None:
    loaded = ApiSettings.load(make_environ(PUBLIC_URL=public_url, JWT_SECRET=secret))
    assert loaded.jwt_secret is not None
    assert loaded.jwt_secret.get_secret_value() == secret


@pytest.mark.parametrize("public_url", [None, "https://localhost.example.com", "nonsense"])
def test_short_jwt_secret_is_named_beside_what_else_is_wrong(public_url: str | None) -> None:
    problems = find_problems(make_environ(PUBLIC_URL=public_url, JWT_SECRET="x"))
    assert "JWT_SECRET" in {problem.name for problem in problems}
