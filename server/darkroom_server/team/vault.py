"""Gateway keys at rest: AES-256-GCM, bound to the row that they belong to, under master keys that can be rotated."""

import base64
import binascii
import re
import secrets
from collections.abc import Mapping
from functools import cached_property

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from darkroom.errors import SettingsError

VARIABLE = "DARKROOM_MASTER_KEYS"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")
_KEY_BYTES = 32
_NONCE_BYTES = 12
_HOW = "`openssl rand -hex 32` makes one; write it as name:key, the newest first, such as k2:…,k1:…"


class Vault:
    """Master keys by name: the first seals, all open. What is sealed opens only for the row it was sealed for."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = dict(keys)

    @classmethod
    def read(cls, text: str) -> "Vault":
        """The keys of DARKROOM_MASTER_KEYS: `name:key` with commas between them, each key 32 bytes in hex or base64.

        Raises: SettingsError, which shows no key.
        """
        keys: dict[str, bytes] = {}
        for part in filter(None, (each.strip() for each in text.split(","))):
            name, colon, value = part.partition(":")
            if not colon or not _NAME.fullmatch(name):
                raise SettingsError(f"{VARIABLE}: key {len(keys) + 1} has no name before a colon. {_HOW}.")
            if name in keys:
                raise SettingsError(f"{VARIABLE} has two keys named '{name}'. Give each its own name.")
            keys[name] = _bytes_of(name, value.strip())
        if not keys:
            raise SettingsError(f"{VARIABLE} is not set, so no gateway key can be kept. {_HOW}.")
        if len(set(keys.values())) < len(keys):
            raise SettingsError(f"{VARIABLE} has the same key under two names. Make a new one: {_HOW}.")
        return cls(keys)

    @property
    def newest(self) -> str:
        """The name of the key that seals."""
        return next(iter(self._keys))

    def seal(self, text: str, row: str) -> bytes:
        """`text` for `row` alone: the name of the master key, a colon, a nonce and the ciphertext."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._ciphers[self.newest].encrypt(nonce, text.encode(), row.encode())
        return self.newest.encode() + b":" + nonce + sealed

    def open(self, sealed: bytes, row: str) -> str:
        """What was sealed for `row`.

        Raises: SettingsError where its master key is not there or another one, or where it was sealed for another row.
        """
        name, _, rest = sealed.partition(b":")
        if (cipher := self._ciphers.get(name.decode("ascii", "replace"))) is None:
            raise SettingsError(
                f"A gateway key was sealed with master key '{name[:32].decode('ascii', 'replace')}', which is not in "
                f"{VARIABLE}. An administrator should put it back behind the newest, then run `darkroom-mcp tenant "
                "reseal`."
            )
        try:
            return cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], row.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise SettingsError(
                f"A gateway key cannot be opened: master key '{name.decode()}' in {VARIABLE} is not the one that "
                "sealed it, or the sealed key was changed or moved from another row. An administrator should mend "
                "the master key, or set the gateway key anew with `darkroom-mcp tenant key`."
            ) from error

    def opens(self, sealed: bytes, row: str) -> bool:
        """Whether it can be opened for this row."""
        try:
            return bool(self.open(sealed, row))
        except SettingsError:
            return False

    def is_newest(self, sealed: bytes) -> bool:
        """Whether the key that seals now has sealed this."""
        return sealed.partition(b":")[0] == self.newest.encode()

    def apart(self, purpose: str) -> "Vault":
        """One of keys derived from these (HKDF, RFC 5869), by the same names: neither opens what the other seals."""
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        info = purpose.encode()
        return Vault({name: HKDF(SHA256(), _KEY_BYTES, None, info).derive(key) for name, key in self._keys.items()})

    def derived(self, purpose: str) -> list[bytes]:
        """The 32 bytes of each of the keys `apart`, the newest first."""
        return list(self.apart(purpose)._keys.values())

    @cached_property
    def _ciphers(self) -> dict[str, AESGCM]:
        return {name: AESGCM(key) for name, key in self._keys.items()}

    def __repr__(self) -> str:
        return f"Vault({', '.join(self._keys)})"


def _bytes_of(name: str, text: str) -> bytes:
    try:
        is_hex = len(text) == 2 * _KEY_BYTES
        # Both alphabets of base64, with its padding or without.
        padded = text.translate(str.maketrans("-_", "+/")).rstrip("=") + "="
        key = bytes.fromhex(text) if is_hex else base64.b64decode(padded, validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != _KEY_BYTES:
        raise SettingsError(f"{VARIABLE}: key '{name}' is not 32 bytes in hex or base64. {_HOW}.")
    return key
