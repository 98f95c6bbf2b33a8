"""One signed call reaches a running service; what goes wrong is said in plain words."""

import base64

from sqlalchemy import select

from shared.database.engines import Database
from shared.models import SyncLog
from tests.cli.conftest import Invoke
from tests.settings.environment import SIGNING_KEY

OTHER_SECRET = f"whsec_{base64.b64encode(b'x' * 32).decode()}"


def test_call_is_accepted_and_its_sync_log_named(
    invoke: Invoke, api_url: str, empty_database: Database
) -> None:
    result = invoke("send", "--phone", "(202) 555-0123", "--call-id", "call_1", PUBLIC_URL=api_url)

    with empty_database.begin() as session:
        log = session.scalars(select(SyncLog)).one()
    # The service logs to the same terminal here.
    assert result.stdout.splitlines()[-1] == f"Call call_1 accepted: its sync log is {log.id}."
    assert (log.user_id, log.workspace_id) == ("user_1", "ws_1")


def test_same_call_again_is_known_already(invoke: Invoke, api_url: str) -> None:
    invoke("send", "--call-id", "call_1", PUBLIC_URL=api_url)

    result = invoke("send", "--call-id", "call_1", PUBLIC_URL=api_url)

    assert result.exit_code == 0
    assert "call_1 known already" in result.stdout


def test_secret_of_the_workspace_is_chosen_from_a_list(invoke: Invoke, api_url: str) -> None:
    result = invoke(
        *("send", "--workspace", "ws_1"),
        PUBLIC_URL=api_url,
        WEBHOOK_SECRETS=f"ws_2={OTHER_SECRET},{SIGNING_KEY}",
    )

    assert result.exit_code == 0, result.stderr


def test_secret_of_the_user_is_chosen_from_a_list(invoke: Invoke, api_url: str) -> None:
    result = invoke(
        *("send", "--workspace", "ws_1", "--user", "user_1"),
        PUBLIC_URL=api_url,
        WEBHOOK_SECRETS=f"user_2/ws_1={OTHER_SECRET},{SIGNING_KEY}",
    )
    assert result.exit_code == 0, result.stderr

    result = invoke("send", WEBHOOK_SECRETS=f"user_2/ws_1={OTHER_SECRET}")
    assert result.exit_code == 2
    assert "none of them may sign for the user user_1 of the workspace ws_1" in result.stderr


def test_wrong_secret_is_explained(invoke: Invoke, api_url: str) -> None:
    result = invoke("send", "--secret", OTHER_SECRET, PUBLIC_URL=api_url)

    assert result.exit_code == 1
    assert "The service refused the call with 401: " in result.stderr
    assert "signature" in result.stderr


def test_wrong_field_is_named(invoke: Invoke, api_url: str) -> None:
    result = invoke("send", "--call-id", "x" * 300, PUBLIC_URL=api_url)

    assert result.exit_code == 1
    assert "400: " in result.stderr
    assert "data.call_id" in result.stderr


def test_service_that_is_away_is_one_readable_line(invoke: Invoke) -> None:
    result = invoke("send", PUBLIC_URL="http://127.0.0.1:1")

    assert result.exit_code == 1
    assert result.stderr == "Error: Nothing answers at http://127.0.0.1:1. Is the service up?\n"


def test_malformed_secret_is_explained_without_being_shown(invoke: Invoke) -> None:
    result = invoke("send", "--secret", "hunter2")

    assert result.exit_code == 2
    assert "whsec_" in result.stderr
    assert "hunter2" not in result.stderr
