"""Recent matches, so that a known caller costs no search: keyed hashes in Redis, short-lived.

Redis is not believed: a match is signed for its account, way of searching and number.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from shared.broker.deployment import DeploymentRedis
from shared.crypto import TokenCipher, seal, unseal

# Bounds how long a renumbered contact still gets the notes of its old number.
CACHE_S: Final = 300


class ContactCache:
    """Contacts by phone number within one account, as one way of searching finds them.

    Redis sees keyed hashes, never a number.
    """

    def __init__(
        self,
        redis: DeploymentRedis,
        cipher: TokenCipher,
        *,
        hub_id: int,
        region: str,
        policy: str,
        phone_properties: Iterable[str] = (),
    ) -> None:
        self._redis = redis
        self._cipher = cipher
        self._scope = ":".join([str(hub_id), region, policy, *phone_properties])

    def find(self, e164s: Iterable[str]) -> dict[str, str]:
        """The contact ids that are known, by number."""
        numbers = list(dict.fromkeys(e164s))
        if not numbers:
            return {}
        found = self._redis.mget([self._key(number) for number in numbers])
        opened = zip(numbers, map(self._open, numbers, found), strict=True)
        return {number: contact_id for number, contact_id in opened if contact_id is not None}

    def keep(self, contact_ids: Mapping[str, str]) -> None:
        """Remember fresh matches."""
        with self._redis.pipeline(transaction=False) as pipe:
            for number, contact_id in contact_ids.items():
                sealed = seal(self._cipher, contact_id, *self._use(number), lives_s=CACHE_S)
                pipe.set(self._key(number), sealed, ex=CACHE_S)
            pipe.execute()

    def forget(self, e164: str) -> None:
        """The contact is gone, merged, or no longer has the number."""
        self._redis.delete(self._key(e164))

    def _open(self, e164: str, sealed: object) -> str | None:
        return unseal(self._cipher, sealed, *self._use(e164), lives_s=CACHE_S)

    def _use(self, e164: str) -> tuple[str, str, str]:
        return "contact", self._scope, e164

    def _key(self, e164: str) -> str:
        return self._redis.key("contact", self._cipher.keyed_hash(f"{self._scope}:{e164}"))


def forget_everybody(redis: DeploymentRedis) -> None:
    """Empty the cache, which costs the next calls a search."""
    for key in redis.scan_iter(redis.key("contact", "*"), count=1000):
        redis.delete(key)
