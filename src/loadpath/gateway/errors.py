"""What can go wrong with a gateway as a whole."""

from loadpath.core.errors import LoadpathError


class PortTakenError(LoadpathError, OSError):
    """Report that a port cannot be listened on."""


class CertificateError(LoadpathError, ValueError):
    """Report a certificate or key that cannot be used."""


class ReloadError(LoadpathError, RuntimeError):
    """Report new settings that could not be taken over: the old ones stay."""
