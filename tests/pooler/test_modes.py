"""How a pooler lends its connections is found out by what it does."""

import pytest

from commands.findings import examine_postgres
from shared.configuration.setting_values import sqlalchemy_url
from tests.pooler.bouncers import IGNORING, Bouncer

BY_TRANSACTION = "lends its connections by the transaction"
BY_SESSION = "lends its connections by the session"
IN_FORCE = "Time limits are in force: statement_timeout 15s"


def examine(url: str) -> dict[str, str]:
    """What the doctor finds, with its cures."""
    return {each.text: each.cure for each in examine_postgres(sqlalchemy_url(url))}


@pytest.mark.parametrize(
    ("bouncer", "told"),
    [
        (Bouncer("transaction", settings=IGNORING), BY_TRANSACTION),
        (
            Bouncer("transaction, in turn", settings=IGNORING | {"server_round_robin": "1"}),
            BY_TRANSACTION,
        ),
        (Bouncer("session", settings=IGNORING | {"pool_mode": "session"}), BY_SESSION),
    ],
    ids=str,
    indirect=["bouncer"],
)
def test_doctor_tells_the_modes_apart(pooled_url: str, told: str) -> None:
    found = " ".join(examine(pooled_url))

    assert told in found
    assert IN_FORCE in found


@pytest.mark.parametrize(
    "bouncer",
    [Bouncer("statement", settings=IGNORING | {"pool_mode": "statement"})],
    ids=str,
    indirect=True,
)
def test_mode_that_cannot_work_is_a_fault_with_its_cure(pooled_url: str) -> None:
    ((text, cure),) = examine(pooled_url).items()

    assert "statement pooling mode" in text
    assert "pool_mode = transaction" in cure


def test_direct_connection_has_no_pooler(postgres_url: str) -> None:
    found = " ".join(examine(postgres_url))

    assert IN_FORCE in found
    assert "pooler" not in found
