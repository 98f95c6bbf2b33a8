from collections.abc import Iterator

import pytest

from tests.matching.hubspot_accounts import AccountFactory, serve_accounts


@pytest.fixture(scope="session")
def accounts() -> Iterator[AccountFactory]:
    with serve_accounts() as accounts:
        yield accounts
