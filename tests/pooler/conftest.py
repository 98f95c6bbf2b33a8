from collections.abc import Iterator

import pytest

from tests.pooler.bouncers import (
    IN_TRANSACTION_MODE,
    MISSING,
    NO_CURRENT,
    Bouncer,
    find_program,
    running_bouncer,
)
from tests.programs import stop_without


@pytest.fixture(scope="module", params=IN_TRANSACTION_MODE, ids=str)
def bouncer(request: pytest.FixtureRequest) -> Bouncer:
    """A way to run PgBouncer; whoever wants only some of them says so by indirect parameters."""
    assert isinstance(request.param, Bouncer)
    return request.param


@pytest.fixture(scope="module")
def pooled_url(
    bouncer: Bouncer, postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The module's database through that PgBouncer."""
    program = find_program(is_current=bouncer.is_current)
    if program is None:
        stop_without(
            NO_CURRENT if bouncer.is_current and find_program(is_current=False) else MISSING
        )
    with running_bouncer(
        bouncer, program, postgres_url, tmp_path_factory.mktemp("pgbouncer")
    ) as url:
        yield url
