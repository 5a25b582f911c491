"""Know a client by its API key; only hashes of keys stand in the settings. Pure.

A key is looked up by its SHA-256: how long that takes tells nothing about the keys, as nobody can
choose a key whose hash begins like another's.
"""

from hashlib import sha256

from loadpath.gateway.exchange import Exchange, Principal
from loadpath.gateway.filters.errors import NotAuthenticatedError
from loadpath.gateway.settings.filters import ApiKeysSettings

BY = "api_keys"
"""What `authorise.by` and `Principal.by` call API keys."""

_LONGEST = 1_024  # bytes of a key


class ApiKeys:
    """Find the principal of an API key.

    Args:
        settings: The keys.
    """

    __slots__ = ("_field", "_principals", "challenge")

    def __init__(self, settings: ApiKeysSettings) -> None:
        self._field = settings.header.lower().encode()
        self.challenge = f'ApiKey realm="gateway", header="{settings.header}"'
        self._principals = {
            each.sha256: Principal(
                name=each.name,
                by=BY,
                scopes=frozenset(each.scopes),
                roles=frozenset(each.roles),
            )
            for each in settings.keys
        }

    def find(self, exchange: Exchange) -> Principal | None:
        """Return who sent a request, None when it carries no key.

        Raises:
            NotAuthenticatedError: It carries a key that is none.
        """
        key = exchange.head.index.get(self._field)
        if key is None:
            return None
        known = None if len(key) > _LONGEST else self._principals.get(sha256(key).hexdigest())
        if known is None:
            raise NotAuthenticatedError("the API key is unknown")
        return known
