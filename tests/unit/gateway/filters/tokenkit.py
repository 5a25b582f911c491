"""Keys and tokens for tests."""

from functools import cache
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

NOW = 1_800_000_000.0

SECRET = b"a secret of forty bytes, for tests only!"


@cache
def key(algorithm: str) -> Any:
    """Return a private key for an algorithm, always the same."""
    if algorithm.startswith("HS"):
        return OctKey.import_key(SECRET)
    if algorithm.startswith("RS"):
        return RSAKey.generate_key(2_048)
    if algorithm.startswith("ES"):
        return ECKey.generate_key({"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}[algorithm])
    return OKPKey.generate_key("Ed25519")


def public_jwk(algorithm: str, **more: Any) -> dict[str, Any]:
    """Return its public key as it is published."""
    return {**key(algorithm).as_dict(private=False), **more}


def pem(algorithm: str) -> bytes:
    """Return its public key as PEM."""
    written = key(algorithm).as_pem(private=False)
    assert isinstance(written, bytes)
    return written


class _AnyAlgorithm(jws.JWSRegistry):
    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


def signed(
    payload: bytes, algorithm: str = "HS256", *, by: Key | None = None, **header: Any
) -> str:
    """Return a token with any payload and head, well signed."""
    registry = _AnyAlgorithm(strict_check_header=False)
    made = jws.serialize_compact(
        {"alg": algorithm, "typ": "JWT", **header}, payload, by or key(algorithm), registry=registry
    )
    return made if isinstance(made, str) else made.decode()
