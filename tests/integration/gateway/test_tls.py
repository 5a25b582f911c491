"""TLS towards clients: the certificate of the name that they ask, exchanged while serving."""

import asyncio
import ssl
from pathlib import Path

import msgspec
import pytest

from loadpath.gateway.errors import CertificateError
from loadpath.gateway.gateway import Gateway
from loadpath.gateway.settings.gateway import GatewaySettings
from tests.faults.gateway.stage import Backend, get, port_of, settings_for, split
from tests.integration.http.certificates import Authority


async def asked(gateway: Gateway, authority: Authority, name: str | None) -> tuple[str, bytes]:
    """Ask over TLS for a name; returns the first name of the certificate, and the answer."""
    context = authority.trusting()
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.check_hostname = False
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port_of(gateway), ssl=context, server_hostname=name or ""
    )
    secured = writer.get_extra_info("ssl_object")
    assert secured.selected_alpn_protocol() == "http/1.1"
    writer.write(get())
    came = await reader.read(-1)
    writer.close()
    return secured.getpeercert()["subject"][0][0][1], came


def with_certificates(
    backend: Backend, *files: Path, names: tuple[str, ...] = ()
) -> GatewaySettings:
    """Return settings with these certificates."""
    document = msgspec.json.decode(msgspec.json.encode(settings_for(backend)))
    document["listeners"][0]["tls"] = [
        {"certificate": str(each), "key": str(each), "names": list(names)} for each in files
    ]
    return msgspec.convert(document, GatewaySettings)


async def test_the_name_chooses_the_certificate(tmp_path: Path) -> None:
    """The first one for a name that nobody has; the scheme is told to the upstream."""
    authority = Authority(tmp_path)
    authority.serving("one.example.com")
    authority.serving("two.example.com", "*.two.example.com")
    files = [tmp_path / "one.example.com.pem", tmp_path / "two.example.com.pem"]
    async with Backend().serving() as backend, Gateway(with_certificates(backend, *files)) as made:
        for name, wanted in (
            ("one.example.com", "one.example.com"),
            ("two.example.com", "two.example.com"),
            ("a.two.example.com", "two.example.com"),
            ("a.b.two.example.com", "one.example.com"),
            ("other.example.com", "one.example.com"),
        ):
            found, came = await asked(made, authority, name)
            assert found == wanted
            assert split(came)[0] == 200
    assert b"X-Forwarded-Proto: https\r\n" in backend.heads[0]
    assert b"proto=https" in backend.heads[0]


async def test_certificates_are_exchanged_without_a_lost_connection(tmp_path: Path) -> None:
    """A bad file is refused and the old one stays; the open connection goes on."""
    authority = Authority(tmp_path)
    authority.serving("old.example.com")
    authority.serving("new.example.com")
    old, new = (tmp_path / f"{each}.example.com.pem" for each in ("old", "new"))
    live = tmp_path / "live.pem"
    live.write_bytes(old.read_bytes())
    async with Backend().serving() as backend, Gateway(with_certificates(backend, live)) as made:
        context = authority.trusting()
        context.check_hostname = False
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port_of(made), ssl=context, server_hostname="a"
        )
        assert (await asked(made, authority, "a"))[0] == "old.example.com"
        live.write_bytes(b"nonsense")
        with pytest.raises(CertificateError, match=r"live\.pem"):
            await made.reload(made.settings)
        assert (await asked(made, authority, "a"))[0] == "old.example.com"
        live.write_bytes(new.read_bytes())
        await made.reload(made.settings)
        assert (await asked(made, authority, "a"))[0] == "new.example.com"
        writer.write(get())
        assert split(await reader.read(-1))[0] == 200
        writer.close()


async def test_plain_http_on_a_tls_port_ends(tmp_path: Path) -> None:
    """Nothing of it reaches an upstream."""
    authority = Authority(tmp_path)
    authority.serving("a.example.com")
    async with (
        Backend().serving() as backend,
        Gateway(with_certificates(backend, tmp_path / "a.example.com.pem")) as made,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(made))
        writer.write(get())
        assert not (await reader.read(-1)).startswith(b"HTTP")
        writer.close()
        context = authority.trusting()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = False
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port_of(made), ssl=context, server_hostname="a"
        )
        writer.close()
    assert backend.heads == []
