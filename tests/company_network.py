"""A network behind a company's proxy: an authority that no system knows, names that only the proxy resolves."""

import asyncio
import base64
import datetime
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from scripted_gateway import ScriptedGateway

Habit = Literal["open", "refuses", "hangs up", "garbage"]


class Authority:
    """Signs servers; `file` is its certificate in PEM, what SSL_CERT_FILE would name."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A company's inspection")])
        self.file = folder / "company.pem"
        self.file.write_bytes(self._signed(self._name, self._key, is_authority=True))

    def server_context(self, *names: str) -> ssl.SSLContext:
        """What a server at these names shows."""
        key = ec.generate_private_key(ec.SECP256R1())
        whole = self._folder / f"{names[0]}.pem"
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        secret = key.private_bytes(encoding, form, serialization.NoEncryption())
        whole.write_bytes(secret + self._signed(subject, key, names=names))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(whole)
        return context

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        names: tuple[str, ...] = (),
        is_authority: bool = False,
    ) -> bytes:
        start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
        builder = x509.CertificateBuilder(subject_name=subject, issuer_name=self._name, public_key=key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(start).not_valid_after(start.replace(year=2100))
        builder = builder.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(map(x509.DNSName, names)), critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


class SecureGateway(ScriptedGateway):
    """The scripted gateway behind TLS."""

    def __init__(self, context: ssl.SSLContext, *answers: object) -> None:
        super().__init__(*answers)  # pyright: ignore[reportArgumentType] # the parent checks them
        self._context = context

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self


class ConnectProxy:
    """`async with ConnectProxy({"images.example.com:443": port}) as proxy`: tunnels to ports of this machine.

    `asked` holds the target of each CONNECT, `heads` all that it was sent in the clear. With `credentials`
    ("user:password") it wants them.
    """

    def __init__(self, places: Mapping[str, int], *, credentials: str = "", habit: Habit = "open") -> None:
        self._places, self._credentials, self._habit = places, credentials, habit
        self.asked: list[str] = []
        self.heads: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.heads.append(head)
            method, target, _ = head.split(" ", 2)
            self.asked.append(target if method == "CONNECT" else f"{method} {target}")
            if self._habit != "hangs up" and (answer := self._refusal(head, target)):
                writer.write(answer)
                await writer.drain()
            elif self._habit != "hangs up":
                await self._tunnel(target, reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _refusal(self, head: str, target: str) -> bytes:
        if self._habit == "garbage":
            return b"\x00\x01no proxy at all\r\n\r\n"
        wanted = base64.b64encode(self._credentials.encode()).decode()
        if self._credentials and f"proxy-authorization: basic {wanted}".lower() not in head.lower():
            return b"HTTP/1.1 407 Who are you\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n"
        if self._habit == "refuses" or target not in self._places:
            return b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"
        return b""

    async def _tunnel(self, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._places[target])
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        finally:
            far_writer.close()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while chunk := await source.read(65_536):
        sink.write(chunk)
        await sink.drain()
    if sink.can_write_eof():
        sink.write_eof()
