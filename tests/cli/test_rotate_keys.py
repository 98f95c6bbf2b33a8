"""`rotate-keys` does its work with the keys of the environment and names what it could not do."""

import base64
from typing import Final

from shared.database.engines import Database
from tests.cli.conftest import Invoke
from tests.rotation.vault import NEW_KEY, OLD_FIRST, OLD_KEY, Vault, tokens

NEW: Final = base64.b64encode(NEW_KEY).decode()
OLD: Final = base64.b64encode(OLD_KEY).decode()


def test_stored_tokens_end_under_the_first_key(invoke: Invoke, empty_database: Database) -> None:
    vault = Vault(empty_database)
    vault.connect("user_1", OLD_FIRST)

    result = invoke("rotate-keys", TOKEN_ENCRYPTION_KEYS=f"{NEW},{OLD}")

    assert (result.exit_code, result.stdout) == (0, "Rows re-encrypted: 1.\n")
    assert vault.read(NEW_KEY) == tokens("user_1")


def test_row_that_no_key_opens_is_named_with_its_cure(
    invoke: Invoke, empty_database: Database
) -> None:
    connection_id = Vault(empty_database).connect("user_1", OLD_FIRST)

    result = invoke("rotate-keys", TOKEN_ENCRYPTION_KEYS=NEW)

    assert result.exit_code == 1
    assert f"hubspot_oauth_tokens {connection_id}: no key opens it." in result.stderr
