"""A settings file is read, or the error says where it is wrong."""

import datetime as dt
from pathlib import Path
from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from loadpath.core.errors import LoadpathError
from loadpath.core.settings import SettingsError, load


class Route(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of a list."""

    path: str
    timeout: Annotated[float, Meta(gt=0)] = 1.0


class Api(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table."""

    port: Annotated[int, Meta(ge=1, le=65_535)] = 8000


class Service(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole file."""

    name: str
    api: Api = Api()
    routes: tuple[Route, ...] = ()
    since: dt.date | None = None


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where a test writes its settings."""
    return tmp_path / "service.toml"


def refused(file: Path, text: str | bytes) -> SettingsError:
    """Return the error of a file with this text."""
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingsError) as caught:
        load(file, Service)
    return caught.value


def test_a_file_becomes_a_struct(file: Path) -> None:
    """Tables, lists of tables, dates and defaults arrive as typed values."""
    file.write_text(
        'name = "한글"\nsince = 2026-01-02\n'
        '[api]\nport = 80\n[[routes]]\npath = "/"\ntimeout = 3\n',
        encoding="utf-8",
    )
    expected = Service("한글", Api(80), (Route("/", 3.0),), dt.date(2026, 1, 2))
    assert load(file, Service) == load(str(file), Service) == expected


@pytest.mark.parametrize(
    ("text", "path", "what"),
    [
        ("", "$.name", "missing"),
        ("name = 1", "$.name", "Expected `str`, got `int`"),
        ('name = "x"\nprot = 1', "$.prot", "unknown field"),
        ('name = "x"\n[api]\nprot = 1', "$.api.prot", "unknown field"),
        ('name = "x"\n[api]\nport = "80"', "$.api.port", "Expected `int`, got `str`"),
        ('name = "x"\n[api]\nport = 0', "$.api.port", "Expected `int` >= 1"),
        ('name = "x"\napi = 8000', "$.api", "Expected `object`, got `int`"),
        ('name = "x"\n[[routes]]\npath = "/"\ntimeout = 0', "$.routes[0].timeout", "> 0"),
        ('name = "x"\n[[routes]]\npath = "/"\ntimeout = nan', "$.routes[0].timeout", "> 0"),
        ('name = "x"\n[[routes]]\npath = "/"\n[[routes]]\n', "$.routes[1].path", "missing"),
        ('name = "x"\n[api]\n"a b\\u001b" = 1', '$.api."a b\\u001b"', "unknown field"),
    ],
)
def test_a_value_that_does_not_fit_is_named_by_its_path(
    file: Path, text: str, path: str, what: str
) -> None:
    """The error names the file, the path of the field itself, and what is wrong."""
    error = refused(file, text)
    assert error.path == path
    assert str(error).startswith(f"{file}: {path}: ")
    assert what in str(error)
    assert error.line is None


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tables whose names the user chooses."""

    named: dict[str, Api] = {}
    deep: dict[str, tuple[dict[str, Api], ...]] = {}
    short: dict[Annotated[str, Meta(max_length=3)], int] = {}
    pair: Annotated[dict[str, int], Meta(min_length=2)] = {}


@pytest.mark.parametrize(
    ("text", "path", "what"),
    [
        ("[named.a]\n[named.b]\nprot = 1", "$.named.b.prot", "unknown field"),
        ("[named.a]\nport = 0\n[named.b]\nport = 0", "$.named.a.port", ">= 1"),
        ('[named."a.b c"]\nport = 0', '$.named."a.b c".port', ">= 1"),
        ("deep.x = []\ndeep.y = [{}, {k = {}, l = {port = 0}}]", "$.deep.y[1].l.port", ">= 1"),
        ("short = {a = 1, long = 2}", "$.short.long", "the name itself: Expected `str` of length"),
        ('pair = {a = 1, b = "x"}', "$.pair[...]", "Expected `int`, got `str`"),
    ],
)
def test_a_table_of_the_users_own_name_is_named(
    file: Path, text: str, path: str, what: str
) -> None:
    """Which of many it is, wherever one alone says so."""
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(file, Named)
    assert caught.value.path == path
    assert what in str(caught.value)


def test_a_number_of_many_digits_is_refused(file: Path) -> None:
    """Python reads no integer of 5,001 digits."""
    assert "a number is too long" in str(refused(file, "a = " + "1" * 5_001))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nb = \n", 2),
        ('a = 1\nb = "open', 2),
        ("a = 1\n\n[api\n", 3),
        ("a = 1\na = 2\nb = 3", 2),
        (b"a = 1\r\nb = 1\r\nc\r\n", 3),
        (b"\n\nname = '\xff'", 3),
    ],
)
def test_what_is_not_toml_is_named_by_its_line(file: Path, text: str | bytes, line: int) -> None:
    """A syntax error and a byte that is not UTF-8 are found at their line."""
    error = refused(file, text)
    assert error.line == line
    assert str(error).startswith(f"{file}:{line}: not ")


def test_endless_nesting_is_refused(file: Path) -> None:
    """A hundred thousand brackets are an error, not a crash."""
    assert "nested too deep" in str(refused(file, "a = " + "[" * 100_000))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A missing file and a folder are settings errors with the reason of the system."""
    with pytest.raises(SettingsError, match=r"absent\.toml.*No such file"):
        load(tmp_path / "absent.toml", Service)
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path, Service)


def test_the_error_is_caught_as_a_value_error(file: Path) -> None:
    """It sits in the tree and is what a caller of a parser catches anyway."""
    error = refused(file, "")
    assert isinstance(error, LoadpathError)
    assert isinstance(error, ValueError)
    assert error.file == file


@given(data=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
def test_any_bytes_are_settings_or_a_settings_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    """No file, however broken, ends in another error."""
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(data)
    with pytest.raises(SettingsError):
        load(file, Service)
