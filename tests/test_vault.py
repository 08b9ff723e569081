"""Sealed gateway keys: each opens for its own row alone, and what is wrong is said without showing a key."""

import base64

import pytest

from darkroom.errors import SettingsError
from darkroom_server.team.vault import Vault

OLD, NEW = bytes(range(224, 256)), bytes(range(32))  # the first one has / and + in base64
CANARY = "r8_Canary0canary1canary2"


def test_what_is_sealed_opens_for_its_row() -> None:
    vault = Vault.read(f"k1:{OLD.hex()}")
    sealed = vault.seal(CANARY, "a/1/key")
    assert vault.open(sealed, "a/1/key") == CANARY
    assert CANARY.encode() not in sealed and vault.seal(CANARY, "a/1/key") != sealed


@pytest.mark.parametrize("row", ["b/1/key", "a/2/key", "a/1/secret"])
def test_what_was_moved_to_another_row_does_not_open(row: str) -> None:
    vault = Vault.read(f"k1:{OLD.hex()}")
    with pytest.raises(SettingsError, match="changed or moved from another row"):
        vault.open(vault.seal(CANARY, "a/1/key"), row)


def test_the_first_key_seals_and_all_open() -> None:
    before = Vault.read(f"k1:{OLD.hex()}").seal(CANARY, "row")
    both = Vault.read(f"k2:{base64.b64encode(NEW).decode()}, k1:{OLD.hex()}")
    assert both.open(before, "row") == CANARY and not both.is_newest(before)
    after = both.seal(CANARY, "row")
    assert both.is_newest(after) and Vault.read(f"k2:{NEW.hex()}").open(after, "row") == CANARY


def test_a_missing_and_a_wrong_master_key_are_told_apart() -> None:
    sealed = Vault.read(f"k1:{OLD.hex()}").seal(CANARY, "row")
    with pytest.raises(SettingsError, match="'k1', which is not in DARKROOM_MASTER_KEYS"):
        Vault.read(f"k2:{NEW.hex()}").open(sealed, "row")
    with pytest.raises(SettingsError, match="'k1' in DARKROOM_MASTER_KEYS is not the one"):
        Vault.read(f"k1:{NEW.hex()}").open(sealed, "row")


@pytest.mark.parametrize("broken", [b"", b"k1", b"k1:", b"k1:short", b"\xff:x", b"k1:" + b"x" * 40])
def test_rubbish_is_refused_in_words(broken: bytes) -> None:
    with pytest.raises(SettingsError) as refused:
        Vault.read(f"k1:{OLD.hex()}").open(broken, "row")
    assert len(refused.value.message) <= 300


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not set"),
        (OLD.hex(), "no name before a colon"),
        (f":{OLD.hex()}", "no name"),
        (f"k 1:{OLD.hex()}", "no name"),
        (f"k1:{OLD.hex()},k1:{NEW.hex()}", "two keys named 'k1'"),
        (f"k2:{OLD.hex()},k1:{OLD.hex()}", "the same key under two names"),
        ("k1:abc", "'k1' is not 32 bytes"),
        (f"k1:{OLD.hex()[:-2]}", "'k1' is not 32 bytes"),
        (f"k1:{'é' * 64}", "'k1' is not 32 bytes"),
        (f"k1:{base64.b64encode(OLD[:-1]).decode()}", "'k1' is not 32 bytes"),
    ],
)
def test_master_keys_that_cannot_be_used_are_explained(text: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as refused:
        Vault.read(text)
    assert OLD.hex()[:20] not in refused.value.message and len(refused.value.message) <= 300


@pytest.mark.parametrize("text", [OLD.hex(), base64.b64encode(OLD).decode(), base64.urlsafe_b64encode(OLD).decode()])
def test_a_key_may_be_written_in_hex_or_base64(text: str) -> None:
    sealed = Vault({"k1": OLD}).seal(CANARY, "row")
    assert Vault.read(f"k1:{text}").open(sealed, "row") == CANARY
    assert Vault.read(f"k1:{text.rstrip('=')}").open(sealed, "row") == CANARY


def test_a_vault_shows_no_key() -> None:
    vault = Vault.read(f"k2:{NEW.hex()},k1:{OLD.hex()}")
    assert repr(vault) == "Vault(k2, k1)"


def test_a_derived_key_goes_by_its_purpose() -> None:
    vault = Vault({"k2": NEW, "k1": OLD})
    newest, oldest = vault.derived("request state")
    assert len(newest) == 32 and newest not in (NEW, oldest) and vault.derived("request state") == [newest, oldest]
    assert vault.derived("another purpose")[0] != newest


def test_a_vault_apart_turns_over_with_its_keys_and_opens_nothing_else() -> None:
    before, both = Vault.read(f"k1:{OLD.hex()}"), Vault.read(f"k2:{NEW.hex()},k1:{OLD.hex()}")
    sealed = before.apart("page").seal(CANARY, "row")
    assert both.apart("page").open(sealed, "row") == CANARY
    for other in (before, before.apart("another purpose")):
        with pytest.raises(SettingsError):
            other.open(sealed, "row")
