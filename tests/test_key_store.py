"""Stored keys as a person keeps them: a real key store without a desktop, a file without one, and never a key shown."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import systems
from forking_program import INTERPRETER, python_command, run_darkroom
from stdio_host import Host

from darkroom.errors import SettingsError
from darkroom.gateways import choose_gateway
from darkroom.key_store import SYSTEM_STORE, KeyStore

KEY = "r8_Canary0canary1canary2"
OTHER = "sk-Canary3canary4canary5"
# Backends of the `keyring` package: a file without a desktop, none at all, and one that forgets.
PLAIN = "keyrings.alt.file.PlaintextKeyring"
NONE = "keyring.backends.fail.Keyring"
FORGETFUL = "keyring.backends.null.Keyring"
PROGRAM = INTERPRETER[-1]
WITHOUT = "import sys; sys.modules['keyring'] = None; from darkroom_server.cli import main; sys.exit(main())"


class Person:
    """Someone at a terminal, with a home of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.said = ""

    @property
    def file(self) -> Path:
        [found] = self.home.rglob("keys.json")
        return found

    def run(
        self, *words: str, stdin: str = "", backend: str = PLAIN, program: str = PROGRAM, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        environ = {"HOME": str(self.home), "USERPROFILE": str(self.home), "PATH": os.defpath}
        environ |= {"LOCALAPPDATA": str(self.home), "SYSTEMROOT": os.environ.get("SYSTEMROOT", "")}
        environ |= {name: text for name, text in os.environ.items() if name.startswith(("LANG", "LC_", "PYTHON"))}
        environ |= {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHON_KEYRING_BACKEND": backend, **variables}
        if program == PROGRAM:
            done = run_darkroom(words, environ, self.home, stdin=stdin.encode(), timeout_s=120)
        else:
            # What loads when is the matter of one program; the other takes the key store away, also from a fork.
            is_fork = program == WITHOUT
            done = subprocess.run(
                python_command(environ, "-c", program, *words) if is_fork else [sys.executable, "-c", program, *words],
                cwd=self.home,
                env=environ,
                input=stdin,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        self.said += done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path)


def test_a_key_goes_into_the_systems_store_and_out_again(person: Person) -> None:
    done = person.run("key", "set", "replicate", stdin=KEY + "\n")
    assert done.returncode == 0 and f"kept in {SYSTEM_STORE}" in done.stderr
    assert KEY not in person.file.read_text()
    assert person.run("key", "list").stdout == f"replicate  {SYSTEM_STORE}\n"
    doctor = person.run("doctor", DARKROOM_PROXY="http://127.0.0.1:9")
    assert f"Key: r8_C…y2 from {SYSTEM_STORE}." in doctor.stdout
    assert person.run("key", "remove", "replicate").returncode == 0
    assert "No key is stored" in person.run("key", "list").stderr
    assert person.run("key", "remove", "replicate").returncode == 2
    assert KEY not in person.said


@pytest.mark.parametrize(("backend", "program"), [(PLAIN, WITHOUT), (NONE, PROGRAM), (FORGETFUL, PROGRAM)])
def test_without_a_store_a_file_of_the_owner_alone_keeps_it(person: Person, backend: str, program: str) -> None:
    done = person.run("key", "set", "replicate", stdin=KEY, backend=backend, program=program)
    assert done.returncode == 0 and str(person.file) in done.stderr
    assert ("darkroom-mcp[keyring]" in done.stderr) is (program == WITHOUT)
    assert json.loads(person.file.read_text()) == {"replicate": KEY}
    if os.name != "nt":
        assert stat.S_IMODE(person.file.stat().st_mode) == 0o600
    doctor = person.run("doctor", backend=backend, program=program, DARKROOM_PROXY="http://127.0.0.1:9")
    assert f"Key: r8_C…y2 from {person.file}." in doctor.stdout
    assert person.run("key", "remove", "replicate", backend=backend, program=program).returncode == 0
    assert KEY not in person.said + person.file.read_text()
    assert [each.name for each in person.file.parent.iterdir()] == ["keys.json"]


def test_a_key_moves_from_the_store_into_the_file_and_leaves_nothing_there(person: Person) -> None:
    person.run("key", "set", "replicate", stdin=KEY)
    person.run("key", "set", "replicate", "--file", stdin=OTHER)
    assert json.loads(person.file.read_text()) == {"replicate": OTHER}
    others = [path.read_bytes() for path in person.home.rglob("*") if path.is_file() and path != person.file]
    assert not any(b"canary" in content.lower() for content in others)


def test_a_store_that_is_gone_is_told_in_words_and_the_server_still_answers(person: Person) -> None:
    person.run("key", "set", "replicate", stdin=KEY)
    doctor = person.run("doctor", program=WITHOUT)
    assert doctor.returncode == 1
    assert "install darkroom-mcp[keyring]" in doctor.stdout and "--file" in doctor.stdout
    host = Host(person.home, PYTHON_KEYRING_BACKEND="nowhere.Backend")
    try:
        assert host.greet()["result"]["serverInfo"]
        host.send("tools/call", {"name": "generate_image", "arguments": {"prompt": "a fox"}}, 2)
        answer = host.receive()["result"]
    finally:
        host.close()
    assert answer["isError"] and "does not give out" in str(answer)
    assert person.run("key", "set", "replicate", "--file", stdin=OTHER, program=WITHOUT).returncode == 0
    assert f"from {person.file}" in person.run("doctor", program=WITHOUT, DARKROOM_PROXY="http://127.0.0.1:9").stdout


def test_a_key_in_the_environment_comes_first_and_loads_no_key_store(person: Person) -> None:
    person.run("key", "set", "replicate", stdin=KEY)
    again = person.run("key", "set", "replicate", stdin=KEY, REPLICATE_API_TOKEN=OTHER)
    assert "REPLICATE_API_TOKEN is set in the environment and still comes first" in again.stderr
    program = (
        "import sys; from darkroom.settings import Settings; print(Settings.read().choice.key.variable); "
        "print('keyring' in sys.modules)"
    )
    assert person.run(program=program, REPLICATE_API_TOKEN=OTHER).stdout.split() == ["REPLICATE_API_TOKEN", "False"]
    assert person.run(program=program).stdout.splitlines() == [SYSTEM_STORE, "True"]


@pytest.mark.parametrize("stdin", ["", "\n", "a key with spaces\n", "schlüssel\n"])
def test_what_is_no_key_is_not_stored(person: Person, stdin: str) -> None:
    assert person.run("key", "set", "replicate", stdin=stdin).returncode == 2
    assert list(person.home.rglob("keys.json")) == []


@pytest.mark.parametrize(
    ("gateway", "words"), [("replicat", "Closest: 'replicate'"), ("sandbox", "needs no key"), ("custom", "--base-url")]
)
def test_a_gateway_that_can_have_no_key_is_refused(person: Person, gateway: str, words: str) -> None:
    done = person.run("key", "set", gateway, stdin=KEY)
    assert done.returncode == 2 and words in done.stderr
    assert KEY not in person.said


def stored(folder: Path, **keys: str) -> KeyStore:
    """A store with these keys in its file; `_at_` stands before an address."""
    store = KeyStore(folder)
    for name, key in keys.items():
        gateway, _, host = name.partition("_at_")
        store.put(f"{gateway} https://{host.replace('_', '.')}" if host else gateway, key, is_for_file=True)
    return store


def test_a_stored_key_chooses_its_gateway_unless_something_else_does(tmp_path: Path) -> None:
    store = stored(tmp_path, replicate=KEY)
    assert choose_gateway({}, store).gateway.name == "replicate"
    assert choose_gateway({"COMETAPI_KEY": OTHER}, store).gateway.name == "cometapi"
    assert choose_gateway({"DARKROOM_GATEWAY": "sandbox"}, store).key.reveal() == ""
    both = stored(tmp_path, cometapi=OTHER)
    assert choose_gateway({}, both).gateway.name == "replicate"
    assert "DARKROOM_GATEWAY chooses" in choose_gateway({}, both).reason


def test_a_stored_key_goes_to_the_address_that_it_was_stored_for_and_no_other(tmp_path: Path) -> None:
    store = stored(tmp_path, replicate=KEY, custom_at_one_example=OTHER)
    for address in ("https://evil.example", "http://127.0.0.1:9000"):
        with pytest.raises(SettingsError, match="needs a key"):
            choose_gateway({"DARKROOM_GATEWAY": "replicate", "DARKROOM_BASE_URL": address}, store)
    with pytest.raises(SettingsError, match="needs a key"):
        choose_gateway({"DARKROOM_BASE_URL": "https://two.example"}, store)
    assert choose_gateway({"DARKROOM_BASE_URL": "https://one.example/v1"}, store).key.reveal() == OTHER
    assert not choose_gateway({"DARKROOM_BASE_URL": "http://127.0.0.1:9000"}, store).key


@pytest.mark.parametrize("content", ["", "[]", '{"replicate": 3}', "{", "[" * 100_000, '{"replicate": {"key": "x"}}'])
def test_a_damaged_file_of_keys_is_told_without_its_content(tmp_path: Path, content: str) -> None:
    (tmp_path / "keys.json").write_text(content)
    store = KeyStore(tmp_path)
    for ask in (
        store.places,
        lambda: store.get("replicate"),
        lambda: store.put("x", KEY),
        lambda: choose_gateway({}, store),
    ):
        with pytest.raises(SettingsError, match=r"keys\.json' is not what") as told:
            ask()
        assert len(told.value.message) <= 300
    assert (tmp_path / "keys.json").read_text() == content, "what may be a key is not lost"
    assert choose_gateway({"REPLICATE_API_TOKEN": KEY}, store).key.variable == "REPLICATE_API_TOKEN"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be written"):
        KeyStore(tmp_path / "file").put("replicate", KEY, is_for_file=True)
    with pytest.raises(SettingsError, match="HOME is not set"):
        KeyStore(None).put("replicate", KEY, is_for_file=True)


@systems.mode_bits
def test_doctor_sees_that_others_can_read_the_keys(person: Person) -> None:
    person.run("key", "set", "replicate", "--file", stdin=KEY)
    away = {"DARKROOM_PROXY": "http://127.0.0.1:9"}
    assert "chmod 600" not in person.run("doctor", **away).stdout
    person.file.chmod(0o644)
    assert "!!  Keys: others can read" in person.run("doctor", **away).stdout
