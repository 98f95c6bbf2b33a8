"""Where wake-ups go, and how the sandbox of a container network may be named."""

import pytest

from shared.configuration.settings import ApiSettings, SettingsError
from tests.settings.environment import make_environ


def test_sandbox_in_the_container_network_is_reached_by_http() -> None:
    settings = ApiSettings.load(make_environ(HUBSPOT_API_URL="sandbox+http://sandbox:8765/"))

    assert settings.hubspot_api_url == "http://sandbox:8765"


@pytest.mark.parametrize(
    "text",
    [
        "http://sandbox:8765",  # nobody said that it is a sandbox
        "sandbox+http://api.hubapi.com",
        "sandbox+http://10.0.0.5:8765",
        "sandbox+http://[fd00::1]:8765",
        "sandbox+http://user:hunter2@sandbox:8765",
        "sandbox+http://sandbox:8765/?a=b",
        "sandbox+ftp://sandbox",
    ],
)
def test_nothing_else_is_sent_to_unencrypted(text: str) -> None:
    with pytest.raises(SettingsError, match="HUBSPOT_API_URL") as caught:
        ApiSettings.load(make_environ(HUBSPOT_API_URL=text))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["PUBLIC_URL", "HUBSPOT_APP_URL", "DASHBOARD_URL"])
def test_only_the_api_may_be_a_sandbox(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        ApiSettings.load(make_environ(**{name: "sandbox+http://sandbox:8765"}))


def test_wake_ups_go_to_redis_unless_told_otherwise() -> None:
    environ = make_environ()

    assert ApiSettings.load(environ).broker_url.get_secret_value() == environ["REDIS_URL"]


def test_wake_ups_may_go_to_rabbitmq() -> None:
    text = "amqps://callsync:broker-hunter2@rabbit.example:5671/calls"
    settings = ApiSettings.load(make_environ(BROKER_URL=text))

    assert settings.broker_url.get_secret_value() == f"{text}?ssl_cert_reqs=required"
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize("text", ["amqp://", "sqs://key:hunter2@", "pyamqp://host", "host:5672"])
def test_other_brokers_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="BROKER_URL") as caught:
        ApiSettings.load(make_environ(BROKER_URL=text))
    assert "hunter2" not in str(caught.value)
