"""Settings that contradict themselves are refused, with the path of what is wrong."""

from pathlib import Path

import pytest

from loadpath.core.settings import SettingsError
from loadpath.gateway.reading import missing_files, problems, read_settings

GOOD = """
[upstreams.api]
endpoints = [{address = "127.0.0.1:3001"}]
[[routes]]
name = "api"
match.prefix = "/api"
targets = [{upstream = "api"}]
"""


def written(folder: Path, text: str) -> Path:
    """Return a settings file."""
    file = folder / "gateway.toml"
    file.write_text(text)
    return file


def test_reads_five_lines(tmp_path: Path) -> None:
    """What is not said has a default."""
    settings = read_settings(written(tmp_path, GOOD))
    assert settings.listeners[0].port == 8080
    assert settings.routes[0].targets[0].upstream == "api"
    assert not list(problems(settings))
    assert not list(missing_files(settings))


WRONG = {
    "$.routes[1].name": '[[routes]]\nname = "api"\nrespond = {}\nmatch.exact = "/x"',
    "$.routes[1].match": '[[routes]]\nname = "b"\nrespond = {}\nmatch.prefix = "/api"',
    "$.routes[1].targets[0].upstream": (
        '[[routes]]\nname = "b"\ntargets = [{upstream = "nobody"}]\nmatch.exact = "/x"'
    ),
    "$.routes[1].targets": (
        '[[routes]]\nname = "b"\ntargets = [{upstream = "api", weight = 0}]\nmatch.exact = "/x"'
    ),
    "$.routes[1].match.regex": '[[routes]]\nname = "b"\nrespond = {}\nmatch.regex = "/(a+)+"',
    "$.routes[1].match.hosts[0]": '[[routes]]\nname = "b"\nrespond = {}\nmatch.hosts = ["A:80"]',
    "$.routes[1].match.methods[0]": '[[routes]]\nname = "b"\nrespond = {}\nmatch.methods = ["get"]',
    "$.routes[1].match.prefix": '[[routes]]\nname = "b"\nrespond = {}\nmatch.prefix = "/a//b"',
    "$.routes[1].rewrite": '[[routes]]\nname = "b"\nrespond = {}\nrewrite.host = "a"',
    "$.routes[1].rewrite.prefix": (
        '[[routes]]\nname = "b"\ntargets = [{upstream = "api"}]\nrewrite.prefix = "/v1"'
    ),
    "$.routes[1].rewrite.path": (
        '[[routes]]\nname = "b"\ntargets = [{upstream = "api"}]\nmatch.regex = "/(a)"\n'
        'rewrite.path = \'/\\2\''
    ),
    "$.routes[1].mirror": (
        '[[routes]]\nname = "b"\nrespond = {}\nmatch.exact = "/x"\nmirror = {upstream = "api"}'
    ),
    "$.routes[1].respond.status": (
        '[[routes]]\nname = "b"\nrespond = {location = "/y"}\nmatch.exact = "/x"'
    ),
    "$.routes[1].authorise.by[0]": (
        '[[routes]]\nname = "b"\nrespond = {}\nmatch.exact = "/x"\nauthorise = {by = ["api_keys"]}'
    ),
    "$.routes[1].cors.credentials": (
        '[[routes]]\nname = "b"\nrespond = {}\nmatch.exact = "/x"\n'
        'cors = {origins = ["*"], credentials = true}'
    ),
    "$.routes[1].cors.origins[0]": (
        '[[routes]]\nname = "b"\nrespond = {}\nmatch.exact = "/x"\ncors = {origins = ["a.com"]}'
    ),
    "$.routes[1].rate_limit.header": (
        '[[routes]]\nname = "b"\nrespond = {}\nmatch.exact = "/x"\n'
        'rate_limit = {limit = 1, key = "header"}'
    ),
    "$.routes[1].rate_limit.shared": (
        '[[routes]]\nname = "b"\nrespond = {}\nmatch.exact = "/x"\n'
        'rate_limit = {limit = 1, shared = true}'
    ),
    "$.routes[1].request_headers.set.Connection": (
        '[[routes]]\nname = "b"\nrespond = {}\nmatch.exact = "/x"\n'
        'request_headers.set = {Connection = "close"}'
    ),
    "$.routes[1].addresses.deny[0]": (
        '[[routes]]\nname = "b"\nrespond = {}\nmatch.exact = "/x"\naddresses.deny = ["10.0.0.1/8"]'
    ),
    "$.routes[1]": '[[routes]]\nname = "b"\nmatch.exact = "/x"',
    "$.upstreams.b": "[upstreams.b]",
    "$.upstreams.b.endpoints[0].address": '[upstreams.b]\nendpoints = [{address = "nowhere"}]',
    "$.upstreams.b.endpoints[1].address": (
        '[upstreams.b]\nendpoints = [{address = "a:1"}, {address = "a:1"}]'
    ),
    "$.upstreams.b.endpoints": '[upstreams.b]\nendpoints = [{address = "a:1", backup = true}]',
    "$.upstreams.b.discovery": "[upstreams.b.discovery]",
    "$.upstreams.b.discovery.port": '[upstreams.b.discovery]\ndns = "a.internal"',
    "$.upstreams.b.discovery.file": '[upstreams.b.discovery]\nfile = "a.yaml"',
    "$.upstreams.b.hash": (
        '[upstreams.b]\nendpoints = [{address = "a:1"}]\nhash = {source = "path"}'
    ),
    "$.upstreams.b.hash.name": (
        '[upstreams.b]\nendpoints = [{address = "a:1"}]\npolicy = "maglev"\n'
        'hash = {source = "cookie"}'
    ),
    "$.jwt.b": '[jwt.b]\nalgorithms = ["HS256"]',
    "$.jwt.b.algorithms": '[jwt.b]\nalgorithms = ["RS256", "HS256"]\nkey_file = "k.pem"',
    "$.redis.url": '[redis]\nurl = "http://a"',
}  # fmt: skip


@pytest.mark.parametrize("path", WRONG)
def test_names_the_path_of_what_is_wrong(tmp_path: Path, path: str) -> None:
    """The first problem is raised, and `problems` gives them all."""
    file = written(tmp_path, f"{GOOD}\n{WRONG[path]}\n")
    with pytest.raises(SettingsError) as refused:
        read_settings(file)
    assert refused.value.path == path


def test_listeners_take_a_port_once(tmp_path: Path) -> None:
    """The admin API counts as one."""
    file = written(tmp_path, f"admin = {{port = 8080}}\n{GOOD}")
    with pytest.raises(SettingsError, match=r"\$\.admin\.port: 127\.0\.0\.1:8080 is taken"):
        read_settings(file)


def test_names_files_that_are_not_there(tmp_path: Path) -> None:
    """Reading does not look for them, `missing_files` does."""
    tls = 'listeners = [{tls = [{certificate = "none.pem", key = "none.key"}]}]\n'
    more = '\n[[routes]]\nname = "f"\nmatch.exact = "/f"\nstatic = {root = "/nowhere"}\n'
    settings = read_settings(written(tmp_path, tls + GOOD + more))
    assert [each.path for each in missing_files(settings)] == [
        "$.listeners[0].tls[0].certificate",
        "$.listeners[0].tls[0].key",
        "$.routes[1].static.root",
    ]
