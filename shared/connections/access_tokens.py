"""A usable access token for a connection: refreshed before it expires, by one worker at a time."""

import time
from dataclasses import dataclass
from typing import Final, NoReturn

import structlog
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from shared.broker.deployment import DeploymentRedis
from shared.connections import lifecycle as connections
from shared.connections.tokens import StoredToken, lock_token, read_token, store_token
from shared.crypto import TokenCipher, UndecryptableError, seal, unseal
from shared.database.engines import Database, patiently
from shared.hubspot.errors import (
    ConfigurationError,
    GrantRevokedError,
    NetworkError,
    RetryLaterError,
    UnavailableError,
)
from shared.hubspot.models import TokenGrant
from shared.hubspot.oauth import HubSpotOAuth
from shared.pacing.client import NoTokenError
from shared.pacing.limits import Limits
from shared.telemetry.metrics import TOKEN_REFRESHES

log = structlog.get_logger(__name__)

LONGEST_MARGIN_S: Final = 300.0
# A token that lives this much longer outlives one request.
LEAST_LIFE_S: Final = 20.0
LONGEST_WAIT_FOR_BUDGET_S: Final = 2.0

# A refusal is taken at its word when another connection was refreshed as lately.
REFUSED_WINDOW_S: Final = 600
_REFUSED_KEY: Final = "grants:refused"
_REFRESHED_KEY: Final = "grants:refreshed"


class TokenBusyError(NoTokenError):
    """Another worker is refreshing this connection's token: put the calls back for a second."""


class ConnectionEndedError(NoTokenError):
    """The connection is no longer live: the sweep gives its calls their reason."""


@dataclass(frozen=True, slots=True, repr=False)
class AccessToken:
    """A token in the clear, and which version of the connection's tokens it is."""

    value: str
    version: int


class TokenSource:
    """Hands out access tokens; the only place that refreshes them."""

    def __init__(
        self,
        *,
        database: Database,
        redis: DeploymentRedis,
        limits: Limits,
        cipher: TokenCipher,
        oauth: HubSpotOAuth,
    ) -> None:
        self._database = database
        self._redis = redis
        self._limits = limits
        self._cipher = cipher
        self._oauth = oauth
        # What another app's credentials could do says nothing about ours.
        self._refreshed_key = redis.key(_REFRESHED_KEY, oauth.client_id)
        self._refreshed_use = ("refreshed", oauth.client_id)

    def access_token(
        self, connection_id: str, *, refused_version: int | None = None
    ) -> AccessToken:
        """A token with life left; with `refused_version`, one newer than HubSpot just refused.

        Raises:
            TokenBusyError: Somebody else is refreshing it, and the old one is spent.
            ConnectionEndedError: There is no live connection any more.
            GrantRevokedError: The connection needs its person again; its state says so now.
            ConfigurationError: Our own credentials or keys are wrong.
            RetryLaterError: HubSpot could not be asked.
        """
        with self._database.read() as session:
            stored = read_token(session, connection_id)
        if stored is None:
            raise ConnectionEndedError
        if _is_fresh(stored, refused_version):
            return self._open(connection_id, stored)
        try:
            return self._refresh(connection_id, refused_version)
        except (RetryLaterError, TokenBusyError, ConfigurationError) as error:
            TOKEN_REFRESHES.labels(_result_of(error)).inc()
            if isinstance(error, ConfigurationError):
                log.error("credentials_refused", category=error.category)  # noqa: TRY400 - a line for operators, not a trace
            if stored.version != refused_version and stored.expires_in > LEAST_LIFE_S:
                return self._open(connection_id, stored)
            raise
        except GrantRevokedError as error:
            self._note_refusal(connection_id, stored, error)

    def _refresh(self, connection_id: str, refused_version: int | None) -> AccessToken:
        # Short blips only, and outside the lock; a longer trouble is the retry schedule's.
        blips = Retrying(
            stop=stop_after_attempt(3),
            wait=wait_random_exponential(multiplier=0.2, max=1),
            retry=retry_if_exception_type((NetworkError, UnavailableError)),
            reraise=True,
        )
        return blips(self._refresh_once, connection_id, refused_version)

    def _refresh_once(self, connection_id: str, refused_version: int | None) -> AccessToken:
        wait = self._limits.reserve_token_request(longest_wait=LONGEST_WAIT_FOR_BUDGET_S)
        if wait is None:
            raise TokenBusyError
        time.sleep(wait)
        # One of the few transactions that are open while HubSpot is asked: the refresh is single.
        with self._database.begin() as session:
            if not lock_token(session, connection_id):
                raise TokenBusyError
            stored = read_token(session, connection_id)
            if stored is None:
                raise ConnectionEndedError
            if _is_fresh(stored, refused_version):
                return self._open(connection_id, stored)
            refresh_token = self._decrypt(connection_id, "refresh_token", stored.refresh_token)
            grant = self._oauth.refresh(refresh_token)
            # HubSpot may have replaced the refresh token, and Postgres may have ended this
            # transaction meanwhile: the new one must not go with it.
            is_stored = patiently(self._store, connection_id, stored.version, refresh_token, grant)
        if not is_stored:
            raise TokenBusyError  # connected anew or disconnected meanwhile: look again
        self._note_refreshed()
        TOKEN_REFRESHES.labels("refreshed").inc()
        log.info("token_refreshed", connection_id=connection_id, expires_in_s=grant.expires_in)
        return AccessToken(grant.access_token, stored.version + 1)

    def _note_refreshed(self) -> None:
        sealed = seal(self._cipher, "", *self._refreshed_use, lives_s=REFUSED_WINDOW_S)
        self._redis.set(self._refreshed_key, sealed, ex=REFUSED_WINDOW_S)

    def _is_any_refreshed(self) -> bool:
        (sealed,) = self._redis.mget([self._refreshed_key])
        opened = unseal(self._cipher, sealed, *self._refreshed_use, lives_s=REFUSED_WINDOW_S)
        return opened is not None

    def _store(
        self, connection_id: str, version: int, refresh_token: str, grant: TokenGrant
    ) -> bool:
        with self._database.begin() as session:
            return store_token(
                session,
                connection_id,
                version=version,
                access_token=self._cipher.encrypt(
                    grant.access_token, row_id=connection_id, field="access_token"
                ),
                refresh_token=self._cipher.encrypt(
                    grant.refresh_token or refresh_token,
                    row_id=connection_id,
                    field="refresh_token",
                ),
                expires_in=grant.expires_in,
                client_id=self._oauth.client_id,
            )

    def _open(self, connection_id: str, stored: StoredToken) -> AccessToken:
        value = self._decrypt(connection_id, "access_token", stored.access_token)
        return AccessToken(value, stored.version)

    def _decrypt(self, connection_id: str, field: str, ciphertext: str) -> str:
        try:
            return self._cipher.decrypt(ciphertext, row_id=connection_id, field=field)
        except UndecryptableError as error:
            log.error("token_undecryptable", connection_id=connection_id, field=field)  # noqa: TRY400 - a line for operators, not a trace
            raise ConfigurationError(
                "A stored token cannot be decrypted with the keys this service was given.",
                sent=False,
                definite=True,
            ) from error

    def _note_refusal(
        self, connection_id: str, stored: StoredToken, error: GrantRevokedError
    ) -> NoReturn:
        """Ask the person to reconnect, unless it is our credentials that were refused.

        Raises:
            GrantRevokedError: The person is asked; its state says so now.
            TokenBusyError: Somebody has connected anew meanwhile.
            ConfigurationError, RetryLaterError: The grant is not known to be revoked.
        """
        if not self._is_any_refreshed():
            self._require_own_fault_excluded(connection_id, stored, error)
        with self._database.begin() as session:
            is_changed = connections.require_reconnect(
                session, connection_id, token_version=stored.version, reason=error.message
            )
        if not is_changed:
            TOKEN_REFRESHES.labels("busy").inc()
            raise TokenBusyError from error  # somebody has connected anew: look again
        TOKEN_REFRESHES.labels("revoked").inc()
        log.warning("reconnect_required", connection_id=connection_id)
        raise error

    def _require_own_fault_excluded(
        self, connection_id: str, stored: StoredToken, error: GrantRevokedError
    ) -> None:
        """Raise ConfigurationError or RetryLaterError while the refusal may be our fault.

        HubSpot refuses a revoked grant and one of another app in the same words.
        """
        if stored.client_id not in {None, self._oauth.client_id}:
            raise self._misconfigured(error, "The connection was made with another HubSpot app")
        refresh_token = self._decrypt(connection_id, "refresh_token", stored.refresh_token)
        try:
            facts = self._oauth.introspect(refresh_token, kind="refresh_token")
        except (ConfigurationError, RetryLaterError) as refusal:
            TOKEN_REFRESHES.labels(_result_of(refusal)).inc()
            log.error("refused_grant_not_examined", category=refusal.category)  # noqa: TRY400 - a line for operators, not a trace
            raise
        if facts is not None:
            raise self._misconfigured(error, "HubSpot does not renew a grant that it calls active")
        if stored.client_id is None:
            self._require_few_refusals(connection_id, error)

    def _require_few_refusals(self, connection_id: str, error: GrantRevokedError) -> None:
        """Raise ConfigurationError when half of all connections, and not only one, are refused."""
        refused = self._note_refused(connection_id)
        with self._database.begin() as session:
            live = connections.count_live(session, among=refused)
            if len(refused) == 1 or 2 * len(refused) < live:
                return
            connections.restore(session, refused)
        raise self._misconfigured(error, "HubSpot refuses the refresh tokens of most connections")

    def _note_refused(self, connection_id: str) -> list[str]:
        """Remember that HubSpot refused a connection; all that it refused lately."""
        now, key = time.time(), self._redis.key(_REFUSED_KEY)
        sealed = seal(self._cipher, connection_id, _REFUSED_KEY, lives_s=REFUSED_WINDOW_S)
        self._redis.clear_unless("zset", key)
        with self._redis.pipeline() as pipe:
            pipe.zremrangebyscore(key, "-inf", now - REFUSED_WINDOW_S)
            pipe.zadd(key, {sealed: now})
            pipe.expire(key, REFUSED_WINDOW_S)
            pipe.zrange(key, 0, -1)
            found = pipe.execute()[-1]
        opened = (
            unseal(self._cipher, each, _REFUSED_KEY, lives_s=REFUSED_WINDOW_S) for each in found
        )
        return sorted({connection_id, *filter(None, opened)})

    def _misconfigured(self, error: GrantRevokedError, reason: str) -> ConfigurationError:
        TOKEN_REFRESHES.labels("misconfigured").inc()
        log.error("grants_refused_by_our_fault", reason=reason)
        return ConfigurationError(
            f"{reason}: check HUBSPOT_CLIENT_ID and HUBSPOT_CLIENT_SECRET.",
            status=error.status,
            category=error.category,
            correlation_id=error.correlation_id,
            definite=True,
        )


def _result_of(error: RetryLaterError | TokenBusyError | ConfigurationError) -> str:
    match error:
        case TokenBusyError():
            return "busy"
        case ConfigurationError():
            return "misconfigured"
        case _:
            return "unavailable"


def _is_fresh(stored: StoredToken, refused_version: int | None) -> bool:
    margin = min(LONGEST_MARGIN_S, stored.lifetime / 5)
    return stored.version != refused_version and stored.expires_in > margin
