"""What `callsync doctor` can find: one function for each thing that a deployment needs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import requests
from alembic.script import ScriptDirectory
from kombu.exceptions import OperationalError as BrokerError
from redis import RedisError, ResponseError
from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError, OperationalError

from commands.terminal import first_line
from shared.broker.celery_app import make_celery
from shared.broker.deployment import DeploymentRedis, connect_redis, find_strangers, identify
from shared.database.engines import Database, find_limits
from shared.database.rights import Rights, find_rights
from shared.database.schema import REQUIRED_REVISION, find_revision
from shared.hubspot.errors import ConfigurationError, HubSpotError
from shared.hubspot.oauth import HubSpotOAuth

MIGRATIONS: Final = Path(__file__).parents[1] / "alembic"
# Webhooks and dashboard tokens are refused when clocks differ by minutes; this is well before.
MOST_SKEW_S: Final = 30.0
TIMEOUT_S: Final = 5.0
PING_TIMEOUT_S: Final = 1.5
# How many of a pooler's connections are looked at to find out how it lends them.
MOST_SERVERS: Final = 50
# Of rights that are missing; who lacks one mostly lacks all.
MOST_SHOWN: Final = 4


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, in words for a newcomer; a fault has its cure.

    `kind`: it is fine, it is a fault, it may become one, or it is worth knowing.
    """

    kind: Literal["fine", "fault", "warning", "info"]
    text: str
    cure: str = ""


def examine_postgres(url: URL) -> Iterator[Finding]:
    """Whether Postgres answers, its limits, clock and schema are right, and who is between."""
    database = Database(url)
    try:
        with database.begin() as session:
            version = session.execute(text("SHOW server_version")).scalar_one()
            asked_at = datetime.now(UTC)
            told = session.execute(text("SELECT clock_timestamp()")).scalar_one()
            skew = max((told - datetime.now(UTC), asked_at - told)).total_seconds()
            limits = find_limits(session)
            rights = find_rights(session)
        yield Finding("fine", f"Postgres {version.split()[0]} answers.")
        yield judge_limits(limits)
        if database.is_pooled:
            yield judge_pooler(lends_by_transaction=_is_lent_by_transaction(database))
        yield judge_clock(skew)
        yield judge_rights(rights)
        if not rights.missing:
            yield judge_schema(find_revision(database))
    except OperationalError as error:
        said = first_line(error)
        yield Finding("fault", f"Postgres does not answer: {said}", _cure_connection(said))
    finally:
        database.dispose()


def _cure_connection(said: str) -> str:
    if "statement pooling mode" in said:
        return "let the pooler lend its connections by the transaction (pool_mode = transaction)"
    return "start it, or correct DATABASE_URL"


def judge_limits(limits: Mapping[str, str]) -> Finding:
    """Whether Postgres ends what takes too long; `limits` are its settings as it shows them."""
    missing = [name for name, limit in limits.items() if limit == "0"]
    if missing:
        return Finding(
            "fault",
            f"Nothing ends what hangs in Postgres: {', '.join(missing)} is not in force.",
            "let DATABASE_URL lead to Postgres, or to a pooler that leaves set_config alone",
        )
    told = ", ".join(f"{name} {limit}" for name, limit in limits.items())
    return Finding("fine", f"Time limits are in force: {told}.")


def judge_rights(rights: Rights) -> Finding:
    """Whether the service's role may do what it has to, and nothing beyond."""
    if rights.missing:
        shown = ", ".join(rights.missing[:MOST_SHOWN])
        rest = len(rights.missing) - MOST_SHOWN
        return Finding(
            "fault",
            f"The role {rights.role} lacks rights: {shown}"
            + (f" and {rest} more." if rest > 0 else "."),
            "run deploy/postgres/roles.sql, which gives them and those on later tables",
        )
    if rights.needless:
        return Finding(
            "warning",
            f"The role {rights.role}, as which API and workers run, {_join(rights.needless)}:"
            " whoever takes one over may do that too.",
            "let DATABASE_URL name a role with rights on rows only, and alembic's the owner:"
            " docs/operations.md, “Database roles”",
        )
    return Finding("fine", f"The role {rights.role} has rights on rows, and no others.")


def _join(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def judge_pooler(*, lends_by_transaction: bool) -> Finding:
    """What stands between us and Postgres, and what we do about it."""
    if not lends_by_transaction:
        return Finding(
            "info",
            "A pooler stands before Postgres and lends its connections by the session, as far as"
            " can be seen: each of ours takes one of its. Each transaction brings its time limits"
            " along, and no statement is prepared.",
        )
    return Finding(
        "info",
        "A pooler stands before Postgres and lends its connections by the transaction: each"
        " transaction brings its time limits along, and no statement is prepared.",
    )


def _is_lent_by_transaction(database: Database) -> bool:
    """Whether two connections that are open at once were served by one process of Postgres."""
    asking = text("SELECT pg_backend_pid()")
    with database.engine.connect() as one, database.engine.connect() as other:
        pid = one.execute(asking).scalar_one()
        one.rollback()
        for _ in range(MOST_SERVERS):  # a pooler may lend them in turn
            if other.execute(asking).scalar_one() == pid:
                return True
            other.rollback()
    return False


def examine_redis(
    url: str, broker_url: str, *, prefix: str, database_url: URL | None
) -> Iterator[Finding]:
    """Whether Redis answers, keeps what it is given, is ours alone, and workers hear wake-ups."""
    with connect_redis(url, prefix) as redis:
        try:
            redis.ping()
        except RedisError as error:
            yield Finding(
                "fault",
                f"Redis does not answer ({error}): calls are accepted, but wait.",
                _cure_tls("REDIS_URL", error) or "start it, or correct REDIS_URL",
            )
            return
        yield Finding("fine", "Redis answers.")
        try:
            policy = redis.config_get("maxmemory-policy").get("maxmemory-policy", "")
        except ResponseError:  # hosted servers often forbid the question
            policy = ""
        strangers = _count_strangers(redis, database_url)
    if policy not in {"", "noeviction"}:
        yield Finding(
            "warning",
            f"Redis may evict wake-ups and limits when it is full (maxmemory-policy {policy}).",
            "set maxmemory-policy to noeviction",
        )
    if strangers:
        yield Finding(
            "fault",
            f"Workers of another database use this Redis under the same prefix, {prefix}: both"
            " take each other's wake-ups, sweeps and budgets.",
            "give one of the deployments another REDIS_PREFIX, or another Redis",
        )
    yield _find_workers(broker_url, prefix)


def _count_strangers(redis: DeploymentRedis, database_url: URL | None) -> int:
    """How many other deployments are there; none if ours cannot be told from them."""
    if database_url is None:
        return 0
    database = Database(database_url)
    try:
        with database.begin() as session:
            identity = identify(session)
    except DBAPIError:
        return 0
    finally:
        database.dispose()
    return len(find_strangers(redis, identity))


def _cure_tls(name: str, error: Exception) -> str:
    """What to do about a certificate that nobody vouches for; empty if that is not the matter."""
    if "CERTIFICATE_VERIFY_FAILED" not in str(error):
        return ""
    return (
        f"add ?ssl_ca_certs=FILE to {name}, with the certificates of who vouches for the server's,"
        " or ?ssl_cert_reqs=none to believe whoever answers"
    )


def examine_hubspot(api_url: str) -> Finding:
    """Whether HubSpot's API can be reached at all; any answer will do."""
    try:
        requests.get(api_url, timeout=TIMEOUT_S)
    except requests.RequestException as error:
        return Finding(
            "fault",
            f"HubSpot's API cannot be reached at {api_url} ({type(error).__name__}).",
            "let this machine make HTTPS requests to it; HTTPS_PROXY is respected",
        )
    return Finding("fine", f"HubSpot's API can be reached at {api_url}.")


def examine_credentials(oauth: HubSpotOAuth) -> Finding:
    """Whether HubSpot knows the app's client id and secret: asks it about a token of nobody's."""
    try:
        oauth.introspect("not-a-token")
    except ConfigurationError as error:
        return Finding(
            "fault",
            f"HubSpot refuses the client id or secret: {error.message}",
            "copy HUBSPOT_CLIENT_ID and HUBSPOT_CLIENT_SECRET anew from your app's Auth tab",
        )
    except HubSpotError as error:
        return Finding(
            "warning",
            f"HubSpot did not say whether the client id and secret are right: {error.message}",
            "run this again later",
        )
    return Finding("fine", "HubSpot accepts the client id and secret.")


def judge_clock(skew_seconds: float) -> Finding:
    """Whether two machines' clocks are near enough."""
    if skew_seconds > MOST_SKEW_S:
        return Finding(
            "fault",
            f"The clocks of this machine and Postgres differ by {skew_seconds:.0f} s: tokens would"
            " be refreshed at the wrong time, and webhooks refused.",
            "synchronise both machines' clocks (NTP)",
        )
    return Finding("fine", "The clocks of this machine and Postgres agree.")


def judge_schema(revision: str) -> Finding:
    """Whether the database is at the newest revision; an empty one was never migrated."""
    newest = REQUIRED_REVISION
    if (MIGRATIONS / "env.py").is_file():  # installed, this is the library of that name
        newest = ScriptDirectory(str(MIGRATIONS)).get_current_head() or newest
    if revision < newest:
        return Finding(
            "fault",
            f"The database's schema is at revision {revision or 'none'}, this build's at {newest}.",
            "run: alembic upgrade head",
        )
    return Finding("fine", f"The database's schema is up to date (revision {revision}).")


def _find_workers(broker_url: str, prefix: str) -> Finding:
    with make_celery(broker_url, prefix) as app:
        try:
            answers = app.control.ping(timeout=PING_TIMEOUT_S)
        except (BrokerError, OSError) as error:
            if cure := _cure_tls("BROKER_URL", error):
                return Finding("fault", f"The broker does not answer ({error}).", cure)
            answers = []
    if not answers:
        return Finding(
            "fault",
            "No worker answers: calls are accepted, but wait.",
            "start one: celery -A worker.app worker",
        )
    names = ", ".join(sorted(name for answer in answers for name in answer))
    return Finding("fine", f"Workers at work: {names}.")
