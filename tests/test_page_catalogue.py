"""What the page sums up and lists, straight from the journal: days as the person counts them, nothing twice."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
import systems
from journal_fixtures import MODEL, START, HandClock, adopting, intended, new_intent, opened, prediction
from page_rooms import DAY_S, Made, fill, stray

from darkroom.journal import Journal
from darkroom.predictions import PredictionStatus
from darkroom_server.page.catalogue import Catalogue

pytestmark = pytest.mark.anyio
OTHER = "luma/photon"


async def create(journal: Journal, id: str, model: str = MODEL, cost_usd: float | None = 0.003) -> None:
    """A prediction that was sent now and has succeeded."""
    intent = await intended(journal, replace(new_intent(), model=model))
    await journal.claim(intent.key)
    await journal.mark_known(intent.key, prediction(id, PredictionStatus.SUCCEEDED, output=("https://a.invalid/1",)))
    if cost_usd is not None:
        await journal.bill(intent.key, cost_usd)


async def test_spending_is_summed_by_day_and_model(tmp_path: Path) -> None:
    clock = HandClock()
    async with opened(tmp_path, clock) as journal:
        for number, (model, cost) in enumerate([(MODEL, 0.003), (MODEL, 0.01), (OTHER, None)]):
            await create(journal, f"prediction{number}", model, cost)
        clock.advance(DAY_S)
        await create(journal, "prediction9")
        rows = await Catalogue(journal, str(tmp_path)).spending()
    first, second = (time.strftime("%Y-%m-%d", time.localtime(START + day * DAY_S)) for day in (0, 1))
    assert rows == [
        [first, MODEL, 2, pytest.approx(0.013), 0.0],
        [first, OTHER, 1, 0.0, 0.003],
        [second, MODEL, 1, 0.003, 0.0],
    ]


@systems.posix_files
@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/St_Johns", "Pacific/Kiritimati"])
async def test_a_day_ends_at_the_persons_midnight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        midnight = time.mktime((2026, 10, 2, 0, 0, 0, 0, 0, -1))
        clock = HandClock(midnight - 1)
        async with opened(tmp_path, clock) as journal:
            await create(journal, "prediction1")
            clock.now = midnight
            await create(journal, "prediction2")
            rows = await Catalogue(journal, str(tmp_path)).spending()
        assert [row[0] for row in rows] == ["2026-10-01", "2026-10-02"]
    finally:
        monkeypatch.undo()
        time.tzset()


async def test_what_was_only_looked_up_or_never_sent_costs_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, HandClock()) as journal:
        await intended(journal, new_intent())
        await journal.record(prediction("stranger1", PredictionStatus.SUCCEEDED), adopting=adopting())
        assert await Catalogue(journal, str(tmp_path)).spending() == []


async def test_a_file_is_listed_once_whoever_knows_it(tmp_path: Path) -> None:
    [path] = fill(tmp_path, [Made()])
    path.with_suffix(".json").write_text("{}")
    lost = stray(tmp_path, "lost")
    stray(tmp_path, "second-sidecar", {"file": {"name": path.name, "sha256": "a" * 64}})
    async with opened(tmp_path / "data", HandClock()) as journal:
        catalogue = Catalogue(journal, str(tmp_path / "images"))
        strays = await catalogue.strays()
        assert [each.file.location for each in strays] == [str(lost)]
        assert await catalogue.find(strays[0].id) == strays[0]
        lost.unlink()
        assert await catalogue.strays() == []


async def test_a_bucket_or_a_folder_that_is_not_there_has_no_strays(tmp_path: Path) -> None:
    async with opened(tmp_path / "data", HandClock()) as journal:
        for place in ("s3://bucket/prefix", str(tmp_path / "nowhere")):
            assert await Catalogue(journal, place).strays() == []
