"""The Lua files of this room, read once."""

from importlib.resources import files

from loadpath.resp import Script


def script(name: str) -> Script:
    """Return a script, with what all of them share before it."""
    lua = files("loadpath.cache") / "lua"
    return Script("".join((lua / f"{part}.lua").read_text("utf-8") for part in ("stamp", name)))
