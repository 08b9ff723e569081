"""The data of the page for people: each sees their own pictures and sums, administrators their tenants, read only."""

import os
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from page_rooms import Made
from people_rooms import People, open_people, person
from pictures import opened, picture
from postgres_server import PostgresServer
from team_rooms import ISSUER

from darkroom_server.team.administration import Person, administering

ADA, BOB = person("ada"), person("bob")
# Where it is noon now, so that no day ends while the tests run.
ZONE = f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"
ROUTES = ("version", "pictures", "spending", "me", "tenant/acme", "thumbnail/{id}", "image/{id}")
OTHER = "luma/photon"


@pytest.fixture(scope="module")
def people(running_postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """Two tenants; ada administers acme, and has three pictures, two of them of today."""
    running_postgres.empty()
    with administering(running_postgres.owner) as administration:
        for tenant in ("acme", "umbra"):
            administration.add(tenant, ZONE)
        administration.set_limit("acme", 20.0)
        administration.set_limit("acme", 5.0, Person(ISSUER, "ada"))
        administration.set_administrator("acme", Person(ISSUER, "ada"), is_one=True)
        administration.set_limit("acme", None, Person(ISSUER, "bob"))
    with open_people(running_postgres, tmp_path_factory.mktemp("people")) as people:
        now = time.time()
        own = [
            Made(prompt="a red fox", cost_usd=0.25),
            Made(model=OTHER, cost_usd=0.5),
            Made(days_ago=70, cost_usd=9.0),
        ]
        people.fill(ADA, own, now=now)
        people.fill(BOB, [Made(prompt="bob's secret harbour", cost_usd=1.0)], now=now)
        people.fill(person("ada", "umbra"), [Made(prompt="in another tenant")], now=now)
        yield people


def ids(people: People, subject: str) -> list[str]:
    return [each["id"] for each in people.get(subject, "page/pictures").json()["pictures"]]


def test_each_sees_their_own_pictures_newest_first(people: People) -> None:
    told = people.get("ada", "page/pictures").json()["pictures"]
    assert [each["prompt"] for each in told][0] == "a red fox" and len(told) == 3
    assert [each["at"] for each in told] == sorted((each["at"] for each in told), reverse=True)
    assert told[0]["reference"] == "prediction:acmeada00000/1"
    assert people.get("ada", "page/version").json()["count"] == 3
    assert [each["prompt"] for each in people.get("bob", "page/pictures").json()["pictures"]] == [
        "bob's secret harbour"
    ]


def test_pages_go_on_by_key_to_the_last_one(people: People) -> None:
    found, after = list[str](), ""
    while True:
        page = people.get("ada", f"page/pictures?limit=1&after={after}").json()
        found += [each["id"] for each in page["pictures"]]
        if not (after := page["next"]):
            break
    assert found == ids(people, "ada")
    key = ids(people, "bob")[0][:26]
    assert people.get("ada", f"page/pictures?after={key}").json()["pictures"] == []


def test_no_answer_names_a_place_of_the_server(people: People) -> None:
    words = "".join(people.get("ada", f"page/{path}").text for path in ("pictures", "spending", "me", "tenant/acme"))
    words += people.get("ada").text
    assert str(people.folder) not in words and ADA.hash not in words
    assert "location" not in people.get("ada", "page/pictures").json()["pictures"][0]
    for path in ("page/reveal/x", "page/strays", "reveal/x", "strays"):
        assert people.get("ada", path).status_code == 404


@pytest.mark.parametrize("route", ROUTES)
def test_nothing_of_anybody_is_told_to_who_is_not_logged_in(people: People, route: str) -> None:
    told = people.get("", "page/" + route.format(id=ids(people, "ada")[0]))
    assert told.status_code == 401
    assert told.json() == {"problem": "Your log-in has ended. Reload the page to log in again."}


@pytest.mark.parametrize(("subject", "tenant"), [("bob", "acme"), ("ada", "umbra"), ("eve", "acme"), ("ada", "gone")])
def test_what_is_anothers_is_not_there(people: People, subject: str, tenant: str) -> None:
    for id in ids(people, "ada"):
        for path in (f"page/thumbnail/{id}", f"page/image/{id}"):
            told = people.get(subject, path, tenant)
            assert told.status_code == 404 and told.json() == {"problem": "There is no such picture."}
            assert told.text == people.get(subject, "page/image/00000000000000000000000000-1", tenant).text
    told = "".join(people.get(subject, f"page/{path}", tenant).text for path in ("pictures", "spending", "version"))
    assert "fox" not in told and OTHER not in told


def test_a_picture_comes_whole_and_small_and_is_kept_beside_its_owners(people: People) -> None:
    id = ids(people, "ada")[0]
    whole, small = people.get("ada", f"page/image/{id}"), people.get("ada", f"page/thumbnail/{id}")
    assert whole.content == picture("PNG", size=(120, 80)) and opened(small.content).size == (120, 80)
    for each in (whole, small):
        assert each.headers["vary"] == "Cookie" and each.headers["cache-control"].startswith("private")
        assert (
            each.headers["x-content-type-options"] == "nosniff" and "sandbox" in each.headers["content-security-policy"]
        )
    [kept] = list((people.folder / "images").rglob("thumbnails/*"))
    assert kept.parent.parent.name == ADA.hash and kept.read_bytes() == small.content
    kept.write_bytes(picture("PNG", size=(9, 9)))
    assert people.get("ada", f"page/thumbnail/{id}").content == picture("PNG", size=(9, 9))
    kept.write_bytes(b"no picture")
    assert opened(people.get("ada", f"page/thumbnail/{id}").content).size == (120, 80)


def test_a_picture_that_is_gone_is_said_to_be_without_its_place(people: People) -> None:
    [id] = people.fill(person("cyd"), [Made()], now=time.time())
    next((people.folder / "images" / "acme" / person("cyd").hash).glob("*.png")).unlink()
    for path in (f"page/image/{id}", f"page/thumbnail/{id}"):
        told = people.get("cyd", path)
        assert told.status_code == 404 and told.json() == {"problem": "The picture cannot be read at the moment."}


@pytest.mark.parametrize("id", ["..%2f..%2fetc%2fpasswd", "acmeada00000", "%00", "x" * 9000, "\u202e", "-1", "a-0"])
def test_odd_ids_are_no_pictures(people: People, id: str) -> None:
    assert people.get("ada", f"page/image/{id}").status_code == 404


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=99999", "limit=x", "after=%00", "after=nothing"])
def test_odd_pages_are_answered(people: People, query: str) -> None:
    for subject in ("ada", "nobody-yet"):
        assert people.get(subject, f"page/pictures?{query}").status_code == 200


def test_spending_is_told_by_the_tenants_days_with_what_the_limits_leave(people: People) -> None:
    told = people.get("ada", "page/spending").json()
    today = datetime.now(UTC).astimezone(ZoneInfo(ZONE)).date().isoformat()
    assert (told["today"], told["zone"]) == (today, ZONE)
    assert [row[1:] for row in told["spending"] if row[0] == today] == [
        ["black-forest-labs/flux-schnell", 1, 0.25, 0],
        [OTHER, 1, 0.5, 0],
    ]
    own, team = told["limits"]
    assert (own["limit_usd"], own["left_usd"]) == (5.0, 4.25) and own["whose"].startswith("your own limit")
    assert (team["limit_usd"], team["left_usd"]) == (20.0, pytest.approx(18.25, abs=0.01))
    assert [each["limit_usd"] for each in people.get("bob", "page/spending").json()["limits"]] == [20.0]


def test_an_administrator_sees_sums_by_person_and_no_prompt(people: People) -> None:
    assert people.get("ada", "page/me").json() == {"tenant": "acme", "subject": "ada", "administers": ["acme"]}
    told = people.get("ada", "page/tenant/acme")
    data = told.json()
    sums = {each["subject"]: (each["today_usd"], each["limit_usd"], each["left_usd"]) for each in data["people"]}
    assert sums["ada"] == (0.75, 5.0, 4.25) and sums["bob"] == (1.0, None, None)
    assert data["limit_usd"] == 20.0 and data["today_usd"] == pytest.approx(1.75, abs=0.01)
    assert "harbour" not in told.text and "fox" not in told.text
    acts = [(each["act"], each["which"]) for each in data["acts"]]
    assert ("make administrator", "ada") in acts and ("set limit", "acme") in acts
    assert {each["who"] for each in data["acts"] if each["act"] == "create"} >= {"ada", "bob"}


@pytest.mark.parametrize(("subject", "tenant"), [("bob", "acme"), ("eve", "acme"), ("ada", "umbra")])
def test_who_administers_nothing_sees_no_tenant(people: People, subject: str, tenant: str) -> None:
    for name in ("umbra", "nowhere", "%00", "*"):
        assert people.get(subject, f"page/tenant/{name}", tenant).status_code == 404
    if subject != "ada":
        assert people.get(subject, "page/me", tenant).json()["administers"] == []
        assert people.get(subject, "page/tenant/acme", tenant).status_code == 404


def test_what_is_open_is_shown_until_it_ends_and_an_end_of_the_role_at_once(people: People) -> None:
    with administering(people.server.owner) as administration:
        administration.set_administrator("umbra", Person(ISSUER, "ada"), is_one=True)
    assert people.get("ada", "page/me").json()["administers"] == ["acme", "umbra"]
    people.server.execute("UPDATE intents SET ended_at = NULL, status = 'processing' WHERE tenant = 'umbra'")
    [running] = people.get("ada", "page/tenant/umbra").json()["open"]
    assert (running["who"], running["status"]) == ("ada", "processing")
    with administering(people.server.owner) as administration:
        administration.set_administrator("umbra", Person(ISSUER, "ada"), is_one=False)
    assert people.get("ada", "page/tenant/umbra").status_code == 404


def test_a_replica_reads_no_administrator_and_an_audit_only_of_a_whole_tenant(people: People) -> None:
    import psycopg

    with psycopg.connect(people.server.app, autocommit=True) as connection:
        for table in ("administrators", "audit"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"SELECT * FROM {table}".encode())
        for tenant, principal in (("acme", ADA.hash), ("", "*"), ("umbr", "*")):
            with connection.transaction():
                settings = "SELECT set_config('darkroom.tenant', %s, true), set_config('darkroom.principal', %s, true)"
                connection.execute(settings, (tenant, principal))
                assert connection.execute("SELECT * FROM latest_acts(9)").fetchall() == []


def test_the_page_holds_its_policy(people: People) -> None:
    told = people.get("ada")
    policy = told.headers["content-security-policy"]
    assert "unsafe" not in policy and "default-src 'none'" in policy and "connect-src 'self'" in policy
    assert re.search(r'data-root="page/"', told.text) and "<!-- " not in told.text
    assert os.fspath(Path.home()) not in told.text
