"""A stack's processes are configured by what the stack made, and by nothing that contradicts it."""

from local.environment import make_environment
from shared.configuration.settings import ApiSettings, WorkerSettings


def make(**environ: str) -> dict[str, str]:
    return make_environment(
        environ,
        database_url="postgresql://user:password@127.0.0.1:5432/callsync",
        redis_url="redis://127.0.0.1:6379/0",
        api_url="http://127.0.0.1:8000",
        sandbox_url="http://127.0.0.1:8001",
    )


def test_environment_is_all_that_the_processes_need() -> None:
    environment = make()
    assert ApiSettings.load(environment).public_url == "http://127.0.0.1:8000"
    assert WorkerSettings.load(environment).hubspot_api_url == "http://127.0.0.1:8001"


def test_secrets_differ_from_stack_to_stack() -> None:
    first, second = make(), make()
    for name in ("JWT_SECRET", "TOKEN_ENCRYPTION_KEYS", "WEBHOOK_SECRETS", "HUBSPOT_CLIENT_SECRET"):
        assert first[name] != second[name]


def test_secret_of_the_user_is_kept() -> None:
    secret = "a secret that the user already signs with"
    assert make(JWT_SECRET=secret)["JWT_SECRET"] == secret


def test_leftovers_of_another_deployment_do_not_contradict_the_stack() -> None:
    environment = make(
        JWT_JWKS_URL="https://login.example.com/keys",
        TOKEN_ENCRYPTION_KEYS_FILE="/run/secrets/keys",
        HUBSPOT_API_URL="https://api.hubapi.com",
    )
    assert ApiSettings.load(environment).hubspot_api_url == "http://127.0.0.1:8001"
    assert WorkerSettings.load(environment).token_encryption_keys


def test_other_variables_reach_the_processes() -> None:
    assert make(DEFAULT_REGION="GB")["DEFAULT_REGION"] == "GB"
