"""Pictures that people add on their page: kept for them, refused in words that name no place of the server."""

import select
import socket
import time
from collections.abc import Iterator

import httpx
import pytest
from issuer_server import open_issuer
from pictures import picture
from postgres_server import PostgresServer
from team_server import MASTER, Team, open_team

from darkroom.outputs.uploads import MOST_PICTURES
from darkroom_server.bodies import HeldBodies, TooMuchAtOnce
from darkroom_server.team.people.visitor import Seals
from darkroom_server.team.tenants import principal_hash
from darkroom_server.team.vault import Vault

MIB = 2**20


@pytest.fixture(scope="module")
def team(running_postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("team")
    with (
        open_issuer() as issuer,
        open_team(running_postgres, issuer, folder, has_worker=False, DARKROOM_OAUTH_CLIENT_ID="page") as team,
    ):
        yield team


def added_by(team: Team, subject: str, content: bytes) -> httpx.Response:
    """What a browser of this person is told, who has been here before."""
    bearer = {"Authorization": f"Bearer {team.token(subject)}"}
    httpx.get(f"{team.origin}/images/p/1", headers=bearer, timeout=30)
    held: dict[str, object] = {"tenant": "acme", "issuer": team.issuer.url, "subject": subject, "form_token": "t"}
    cookie = Seals(Vault.read(MASTER), is_secure=False).seal("session", held, 60)
    headers = {"Cookie": f"darkroom={cookie}", "X-Form-Token": "t"}
    return httpx.post(f"{team.origin}/uploads", headers=headers, content=content, timeout=30)


def test_a_place_that_takes_no_picture_is_not_named(team: Team) -> None:
    place = team.folder / "images" / "acme" / principal_hash(team.issuer.url, "ada") / "uploads"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"no folder")
    answer = added_by(team, "ada", picture())
    assert answer.status_code == 503 and "Try again" in answer.json()["problem"]
    assert str(team.folder) not in answer.text and "uploads" not in answer.text


def test_too_many_pictures_are_refused_with_what_helps(team: Team) -> None:
    place = team.folder / "images" / "acme" / principal_hash(team.issuer.url, "bea") / "uploads"
    place.mkdir(parents=True)
    for number in range(MOST_PICTURES):
        (place / f"{number:024x}").write_bytes(b"x")
    answer = added_by(team, "bea", picture())
    assert answer.status_code == 400 and f"at most {MOST_PICTURES}" in answer.json()["problem"]
    assert "path" not in answer.json()["problem"]


def half_sent(team: Team, size_mib: int) -> socket.socket:
    """A call of ada's that is on its way, as much of it as is taken."""
    host, _, port = team.origin.removeprefix("http://").partition(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    head = f"POST /mcp HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {team.token('ada')}\r\n"
    connection.sendall(f"{head}Content-Type: application/json\r\nContent-Length: {32 * MIB}\r\n\r\n".encode())
    for _ in range(size_mib):
        if select.select([connection], [], [], 0)[0]:
            break  # it is refused
        connection.sendall(b" " * MIB)
    return connection


def test_what_one_person_sends_at_once_is_bounded_and_nobody_else_waits_for_it(team: Team) -> None:
    on_their_way = [half_sent(team, 30) for _ in range(2)]
    third = half_sent(team, 30)
    told = ""
    while "}" not in told and (more := third.recv(100_000).decode()):
        told += more
    assert told.startswith("HTTP/1.1 429") and "retry-after: 5" in told.lower()
    assert "You send more than 64 MiB at once" in told
    answer = added_by(team, "ada", b"x" * 20 * MIB)
    assert answer.status_code == 429 and answer.headers["retry-after"] == "5"
    assert "Send fewer pictures at a time" in answer.json()["problem"]
    assert added_by(team, "cyd", picture()).status_code == 201
    for each in (*on_their_way, third):
        each.close()
    give_up = time.monotonic() + 30
    while (status := added_by(team, "ada", b"x" * 20 * MIB).status_code) == 429 and time.monotonic() < give_up:
        pass
    assert status == 400  # it is no picture, and was read whole


def test_what_all_people_send_at_once_is_bounded_and_given_back() -> None:
    bodies = HeldBodies(most_of_one=6, most_of_all=10)
    with bodies.by("ada") as ada, bodies.by("bea") as bea:
        ada(6)
        with pytest.raises(TooMuchAtOnce) as refused:
            ada(1)
        assert refused.value.status == 429
        with pytest.raises(TooMuchAtOnce) as refused:
            bea(5)
        assert refused.value.status == 503
        bea(4)
    with bodies.by("bea") as bea:
        bea(6)
