"""TLS towards clients: the certificate of the name that they ask, replaced while connections last.

Source: RFC 6066 section 3 (SNI), RFC 7301 (ALPN), RFC 9325 (TLS 1.2 at least).
"""

import ssl
from collections.abc import Iterable

from loadpath.gateway.errors import CertificateError
from loadpath.gateway.settings.listening import Certificate


class Certificates:
    """Choose the certificate of each connection.

    Args:
        certificates: The first one serves clients that ask no name, or one that nobody has.

    Attributes:
        context: For the listener; it stays the same when certificates are replaced.

    Raises:
        CertificateError: One cannot be used.
    """

    def __init__(self, certificates: Iterable[Certificate]) -> None:
        self._chosen = Chosen(certificates)
        self.context = _context()
        self._chosen.first.load_into(self.context)
        self.context.sni_callback = self._on_name

    def replace(self, chosen: "Chosen") -> None:
        """Use other certificates for connections that begin from now on."""
        self._chosen = chosen

    def _on_name(
        self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext
    ) -> None:
        del context
        connection.context = self._chosen.of(name).context


class Chosen:
    """Hold certificates that were read.

    Args:
        certificates: What to read.

    Attributes:
        first: Who serves clients that ask no name.

    Raises:
        CertificateError: One cannot be used.
    """

    def __init__(self, certificates: Iterable[Certificate]) -> None:
        loaded = [_Loaded(each) for each in certificates]
        self.first = loaded[0]
        self._by_name: dict[str, _Loaded] = {}
        for each in loaded:
            for name in each.names:
                self._by_name.setdefault(name.lower(), each)

    def of(self, name: str | None) -> "_Loaded":
        """Return the certificate for a name."""
        if name is None:
            return self.first
        asked = name.lower().rstrip(".")
        found = self._by_name.get(asked)
        if found is None:
            found = self._by_name.get(f"*.{asked.partition('.')[2]}")
        return found or self.first


class _Loaded:
    """Hold one certificate, its key, and the names that it is for."""

    def __init__(self, certificate: Certificate) -> None:
        self._certificate = certificate
        self.context = _context()
        self.load_into(self.context)
        self.names = certificate.names or _names_in(certificate.certificate)

    def load_into(self, context: ssl.SSLContext) -> None:
        """Give a context this certificate.

        Raises:
            CertificateError: It cannot be used.
        """
        certificate, key = self._certificate.certificate, self._certificate.key
        try:
            context.load_cert_chain(certificate, key, password=_no_password)
        except (OSError, ssl.SSLError, ValueError) as error:
            raise CertificateError(f"{certificate} with {key}: {error}") from error


def _no_password() -> str:
    raise ValueError("the key has a password: give one without")


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    return context


def _names_in(file: str) -> tuple[str, ...]:
    """Return the host names that a certificate carries."""
    try:
        decoded = ssl._ssl._test_decode_cert(file)  # type: ignore[attr-defined] # noqa: SLF001 - the only reader that the standard library has
    except (OSError, ssl.SSLError) as error:
        raise CertificateError(f"{file}: {error}") from error
    return tuple(name for kind, name in decoded.get("subjectAltName", ()) if kind == "DNS")
