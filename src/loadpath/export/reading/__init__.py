"""nginx files as gateway.toml, and what of them was not understood."""

from loadpath.export.reading.importing import Imported, from_nginx
from loadpath.export.reading.notes import Note
from loadpath.export.reading.tokens import NginxSyntaxError

__all__ = ["Imported", "NginxSyntaxError", "Note", "from_nginx"]
