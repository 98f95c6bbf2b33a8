"""A sandbox for people to look around in begins with an account; its ids are never given again."""

from sandbox.app import create_app
from sandbox.client import SandboxControl
from sandbox.config import SandboxConfig
from sandbox.sample import SAMPLE_CONTACTS
from sandbox.server import run_in_thread

FIRST_ID = 1_795_000_000_000


def test_sample_account_has_its_contacts_at_first_and_after_a_reset() -> None:
    config = SandboxConfig(has_sample_account=True, first_object_id=FIRST_ID)
    with run_in_thread(create_app(config)) as server, SandboxControl(server.url) as sandbox:
        for _ in range(2):
            [hub] = sandbox.state()["hubs"]
            contacts = sandbox.contacts(hub["hub_id"])
            assert len(contacts) == len(SAMPLE_CONTACTS)
            assert int(contacts[0].id) == FIRST_ID
            sandbox.reset()
