import subprocess
import sys

from sandbox.client import SandboxControl
from tests.sandbox.driving import authorize_url, callback_fields, request_token


def test_command_serves_a_sandbox_for_the_app_it_is_given() -> None:
    redirect_uri = "http://localhost:5999/callback"
    options = ["--client-id", "mine", "--client-secret", "s3cret", "--redirect-uri", redirect_uri]
    command = [sys.executable, "-m", "sandbox", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        try:
            with SandboxControl(url) as control:
                asked = authorize_url(url, client_id="mine", redirect_uri=redirect_uri)
                callback = control.approve(asked, control.add_account())
            assert callback.startswith(redirect_uri)
            answer = request_token(
                url,
                grant_type="authorization_code",
                client_id="mine",
                client_secret="s3cret",
                redirect_uri=redirect_uri,
                code=callback_fields(callback)["code"],
            )
            assert answer.json()["status"] == "BAD_CODE_VERIFIER"
        finally:
            process.terminate()
