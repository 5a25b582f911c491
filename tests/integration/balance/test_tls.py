"""An HTTPS endpoint is checked over TLS, and its certificate with it."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from loadpath.balance import Endpoint, HttpProbe
from tests.faults.balance.servers import saying


def certificate(folder: Path) -> Path:
    """Make a certificate of `orders.example` that signs itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "orders.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("orders.example")]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(secret + made.public_bytes(Encoding.PEM))
    return file


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[Endpoint, Path]]:
    """Serve HTTPS."""
    file = await asyncio.to_thread(certificate, tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    await asyncio.to_thread(context.load_cert_chain, file)
    answer = saying(b"HTTP/1.1 200 OK\r\n\r\n")
    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        yield Endpoint(host="127.0.0.1", port=port), file


async def test_the_certificate_must_be_the_named_ones(served: tuple[Endpoint, Path]) -> None:
    """Trusted and of that name it passes; untrusted, or of another name, it fails."""
    endpoint, file = served
    trusting = await asyncio.to_thread(ssl.create_default_context, cafile=str(file))
    await HttpProbe(tls=trusting, server_name="orders.example").check(endpoint)
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        await HttpProbe(tls=trusting).check(endpoint)
    plain = await asyncio.to_thread(ssl.create_default_context)
    with pytest.raises(ssl.SSLCertVerificationError, match="self-signed"):
        await HttpProbe(tls=plain, server_name="orders.example").check(endpoint)
