"""Images in the journal: wanted at `succeeded`, then stored or expired."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from journal_fixtures import ORIGIN, START, HandClock, opened, prediction

from darkroom.images import ImageState, StoredFile, StoredImage
from darkroom.journal import Journal, SqliteJournal
from darkroom.predictions import PredictionStatus

pytestmark = pytest.mark.anyio
URLS = ("https://files.invalid/a.png", "https://files.invalid/b.png")
INLINE = "data:image/png;base64," + "A" * 4000
EXPIRY = datetime.fromtimestamp(START + 3600, UTC)
FILE = StoredFile(
    location="/pictures/a.png", mime_type="image/png", width_px=64, height_px=32, size_bytes=999, sha256="ab" * 32
)


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncGenerator[SqliteJournal, None]:
    async with opened(tmp_path, HandClock()) as journal:
        await journal.record(
            prediction("pred0001", PredictionStatus.SUCCEEDED, output=URLS), gateway="sandbox", origin=ORIGIN
        )
        yield journal


async def images(journal: Journal, prediction_id: str = "pred0001") -> tuple[StoredImage, ...]:
    intent = await journal.find(prediction_id)
    assert intent is not None
    return intent.images


async def store(journal: Journal, index: int, url: str = URLS[0]) -> None:
    await journal.image_stored(
        StoredImage(prediction_id="pred0001", index=index, url=url, state=ImageState.STORED, file=FILE)
    )


async def test_outputs_are_wanted_in_the_commit_that_sees_succeeded(journal: SqliteJournal) -> None:
    assert [(image.index, image.url, image.state) for image in await images(journal)] == [
        (0, URLS[0], ImageState.WANTED),
        (1, URLS[1], ImageState.WANTED),
    ]


async def test_wanting_again_adds_the_expiry(journal: SqliteJournal) -> None:
    wanted = await journal.want_images("pred0001", URLS, EXPIRY)
    assert [image.expires_at for image in wanted] == [EXPIRY, EXPIRY]
    assert [image.expires_at for image in await journal.want_images("pred0001", URLS, None)] == [EXPIRY, EXPIRY]


async def test_a_stored_image_keeps_its_file_whatever_comes_later(journal: SqliteJournal) -> None:
    await store(journal, 0)
    await journal.want_images("pred0001", ("https://files.invalid/new.png", URLS[1]), EXPIRY)
    await journal.image_failed("pred0001", 0, "connection reset")
    await journal.image_expired("pred0001", 0, "gone")
    first, second = await images(journal)
    assert (first.state, first.file, first.problem, first.url) == (ImageState.STORED, FILE, "", URLS[0])
    assert second.state is ImageState.WANTED


async def test_a_prediction_is_finished_once_every_image_is_stored_or_expired(journal: SqliteJournal) -> None:
    await store(journal, 0)
    assert len(await journal.unfinished(ORIGIN)) == 1
    await journal.image_expired("pred0001", 1, "The link died before the image was home.")
    assert await journal.unfinished(ORIGIN) == ()


async def test_a_failed_download_stays_wanted_and_says_why(journal: SqliteJournal) -> None:
    await journal.image_failed("pred0001", 1, "connection reset")
    image = (await images(journal))[1]
    assert (image.state, image.problem) == (ImageState.WANTED, "connection reset")
    await store(journal, 1)
    assert (await images(journal))[1].problem == ""


async def test_an_expired_image_is_wanted_again_only_with_a_new_link(journal: SqliteJournal) -> None:
    await journal.image_expired("pred0001", 0, "gone")
    await journal.want_images("pred0001", URLS, EXPIRY)
    assert (await images(journal))[0].state is ImageState.EXPIRED
    await journal.want_images("pred0001", ("https://files.invalid/renewed.png",), EXPIRY)
    assert (await images(journal))[0].state is ImageState.WANTED


async def test_an_inline_output_is_kept_whole_until_it_is_stored(journal: SqliteJournal) -> None:
    await journal.record(prediction("pred0002", PredictionStatus.SUCCEEDED, output=(INLINE,)), origin=ORIGIN)
    before = await journal.find("pred0002")
    assert before is not None and before.prediction is not None
    assert before.prediction.output == (INLINE,)
    await journal.image_stored(
        StoredImage(prediction_id="pred0002", index=0, url=INLINE, state=ImageState.STORED, file=FILE)
    )
    after = await journal.find("pred0002")
    assert after is not None and after.prediction is not None
    assert after.prediction.output == (after.images[0].url,) == ("data:image/png;… (3000 bytes)",)


async def test_an_image_without_a_file_is_not_stored(journal: SqliteJournal) -> None:
    with pytest.raises(ValueError, match="has a file"):
        await journal.image_stored(StoredImage(prediction_id="pred0001", index=0, url=URLS[0]))
    assert (await images(journal))[0].state is ImageState.WANTED
