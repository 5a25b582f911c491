"""Behaviour of the settings file that the supervisor writes."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from loadpath.core.settings import load
from loadpath.systems.timeline.service import as_toml
from loadpath.systems.timeline.settings import ApiSettings, FanoutSettings, TimelineSettings

# A lone surrogate cannot be written in UTF-8: no folder or address that works has one.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


@given(
    postgres=texts,
    rings=texts,
    shards=st.integers(1, 256),
    lifetime=st.floats(0.001, 315_360_000.0),
    poll=st.floats(1e-6, 3_600.0),
)
def test_the_file_says_what_the_settings_say(
    postgres: str, rings: str, shards: int, lifetime: float, poll: float
) -> None:
    """Whatever is in a password or a path: quotes, backslashes, control characters."""
    settings = TimelineSettings(
        postgres=postgres,
        rings=rings,
        shards=shards,
        api=ApiSettings(token_lifetime=lifetime),
        fanout=FanoutSettings(poll=poll),
    )
    with TemporaryDirectory() as folder:
        file = Path(folder) / "timeline.toml"
        file.write_text(as_toml(settings), encoding="utf-8")
        assert load(file, TimelineSettings) == settings
