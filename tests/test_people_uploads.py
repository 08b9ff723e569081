"""Pictures that people add on their page: kept for them, refused in words that name no place of the server."""

from collections.abc import Iterator

import httpx
import pytest
from issuer_server import open_issuer
from pictures import picture
from postgres_server import PostgresServer
from team_server import MASTER, Team, open_team

from darkroom.outputs.uploads import MOST_PICTURES
from darkroom_server.team.people.visitor import Seals
from darkroom_server.team.tenants import principal_hash
from darkroom_server.team.vault import Vault


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
