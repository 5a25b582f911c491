"""Why a request does not say who sent it."""

from loadpath.core.errors import LoadpathError, RejectedError


class NotAuthenticatedError(LoadpathError, PermissionError):
    """Refuse a token or an API key; the message may be shown to the client."""


class KeysUnknownError(RejectedError, ConnectionError):
    """Report that the keys of an issuer could not be fetched yet: its tokens cannot be checked."""


class KeyFileError(LoadpathError, ValueError):
    """Report a file of keys that cannot be used."""
