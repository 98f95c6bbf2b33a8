"""`callsync send`: one signed test call to a running service."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import click
import requests

from local.producer import Producer, WebhookRefusedError
from shared.configuration.setting_values import InvalidValueError, webhook_secrets

CALL_LASTED = timedelta(minutes=3)


@click.command()
@click.option(
    "--api-url",
    envvar="PUBLIC_URL",
    required=True,
    show_envvar=True,
    help="Where the service is.",
)
@click.option(
    "--secret",
    envvar="WEBHOOK_SECRETS",
    required=True,
    show_envvar=True,
    help="What to sign with, whsec_…; of a list, the first that may name user and workspace.",
)
@click.option("--user", "user_id", default="user_1", show_default=True, help="Whose call it is.")
@click.option("--workspace", "workspace_id", default="ws_1", show_default=True, help="See --user.")
@click.option(
    "--phone",
    default="+12025550123",
    show_default=True,
    help="The caller's number, in any spelling.",
)
@click.option("--call-id", help="The producer's id; made up when left out.")
@click.option("--summary", default="A test call.", show_default=True, help="What was said.")
def send(
    *,
    api_url: str,
    secret: str,
    user_id: str,
    workspace_id: str,
    phone: str,
    call_id: str | None,
    summary: str,
) -> None:
    """Post one signed test call to a running service and print the answer."""
    producer = Producer(api_url, choose_secret(secret, user_id, workspace_id))
    ended_at = datetime.now(UTC)
    call = {
        "call_id": call_id or f"test_{uuid4().hex[:12]}",
        "user_id": user_id,
        "workspace_id": workspace_id,
        "phone_number": phone,
        "direction": "inbound",
        "started_at": (ended_at - CALL_LASTED).isoformat(),
        "ended_at": ended_at.isoformat(),
        "duration_seconds": CALL_LASTED.total_seconds(),
        "summary": summary,
    }
    try:
        accepted = producer.post_call(call)
    except WebhookRefusedError as error:
        raise click.ClickException(f"The service refused the call with {error}") from error
    except requests.ConnectionError as error:
        raise click.ClickException(f"Nothing answers at {api_url}. Is the service up?") from error
    except requests.RequestException as error:
        raise click.ClickException(f"{api_url} could not be asked: {error}") from error
    known = "accepted"
    if accepted.is_duplicate or accepted.is_updated:
        known = "known already" + ", and completed" * accepted.is_updated
    click.echo(f"Call {call['call_id']} {known}: its sync log is {accepted.log_id}.")


def choose_secret(text: str, user_id: str, workspace_id: str) -> str:
    """The first secret of a list like WEBHOOK_SECRETS that may sign for a user and workspace."""
    try:
        secrets = webhook_secrets(text)
    except InvalidValueError as error:
        raise click.BadParameter(f"WEBHOOK_SECRETS {error}", param_hint="--secret") from error
    for each in secrets:
        if each.may_name(user_id, workspace_id):
            return each.secret.get_secret_value()
    raise click.BadParameter(
        f"none of them may sign for the user {user_id} of the workspace {workspace_id}",
        param_hint="--secret",
    )
