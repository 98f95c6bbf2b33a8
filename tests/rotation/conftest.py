import pytest

from shared.database.engines import Database
from tests.rotation.vault import Vault


@pytest.fixture
def vault(database: Database) -> Vault:
    vault = Vault(database)
    vault.clear()
    return vault
