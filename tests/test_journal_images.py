"""Images in the journal: wanted at `succeeded`, then stored or expired."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from journal_fixtures import ORIGIN, START, HandClock, Place, adopting, opened, prediction

from darkroom.images import ImageState, StoredFile, StoredImage
from darkroom.journal import Journal
from darkroom.predictions import Prediction, PredictionStatus

pytestmark = pytest.mark.anyio
URLS = ("https://files.invalid/a.png", "https://files.invalid/b.png")
INLINE = "data:image/png;base64," + "A" * 4000
EXPIRY = datetime.fromtimestamp(START + 3600, UTC)
FILE = StoredFile(
    location="/pictures/a.png", mime_type="image/png", width_px=64, height_px=32, size_bytes=999, sha256="ab" * 32
)


def done(*urls: str) -> Prediction:
    return prediction("pred0001", PredictionStatus.SUCCEEDED, output=urls)


@pytest.fixture
async def journal(place: Place) -> AsyncGenerator[Journal, None]:
    async with opened(place, HandClock()) as journal:
        await journal.record(prediction("pred0001", PredictionStatus.SUCCEEDED, output=URLS), adopting=adopting())
        yield journal


async def images(journal: Journal, prediction_id: str = "pred0001") -> tuple[StoredImage, ...]:
    intent = await journal.find(prediction_id)
    assert intent is not None
    return intent.images


async def store(journal: Journal, index: int, url: str = URLS[0]) -> None:
    await journal.image_stored(
        StoredImage(prediction_id="pred0001", index=index, url=url, state=ImageState.STORED, file=FILE)
    )


async def test_outputs_are_wanted_in_the_commit_that_sees_succeeded(journal: Journal) -> None:
    assert [(image.index, image.url, image.state) for image in await images(journal)] == [
        (0, URLS[0], ImageState.WANTED),
        (1, URLS[1], ImageState.WANTED),
    ]


async def test_links_die_by_the_clock_of_the_gateway(journal: Journal) -> None:
    assert [image.expires_at for image in await images(journal)] == [EXPIRY, EXPIRY]


async def test_a_stored_image_keeps_its_file_whatever_comes_later(journal: Journal) -> None:
    await store(journal, 0)
    await journal.record(done("https://files.invalid/new.png", URLS[1]))
    await journal.image_problem("pred0001", 0, ImageState.WANTED, "connection reset")
    await journal.image_problem("pred0001", 0, ImageState.EXPIRED, "gone")
    first, second = await images(journal)
    assert (first.state, first.file, first.problem, first.url) == (ImageState.STORED, FILE, "", URLS[0])
    assert second.state is ImageState.WANTED


async def test_a_prediction_is_finished_once_every_image_is_stored_or_expired(journal: Journal) -> None:
    await store(journal, 0)
    assert len(await journal.unfinished(ORIGIN)) == 1
    await journal.image_problem("pred0001", 1, ImageState.EXPIRED, "The link died before the image was home.")
    assert await journal.unfinished(ORIGIN) == ()


async def test_a_failed_download_stays_wanted_and_says_why(journal: Journal) -> None:
    await journal.image_problem("pred0001", 1, ImageState.WANTED, "connection reset")
    image = (await images(journal))[1]
    assert (image.state, image.problem) == (ImageState.WANTED, "connection reset")
    await store(journal, 1)
    assert (await images(journal))[1].problem == ""


@pytest.mark.parametrize("word", ["expired", "refused"])
async def test_what_was_given_up_is_wanted_again_with_a_new_link(journal: Journal, word: str) -> None:
    await journal.image_problem("pred0001", 0, ImageState(word), "gone")
    await journal.record(done(*URLS))
    assert (await images(journal))[0].state == word
    await journal.record(done("https://files.invalid/renewed.png"))
    assert (await images(journal))[0].state is ImageState.WANTED


async def test_a_refused_image_is_finished_until_somebody_asks(journal: Journal) -> None:
    for index in range(2):
        await journal.image_problem("pred0001", index, ImageState.REFUSED, "The host is not public.")
    assert await journal.unfinished(ORIGIN) == ()
    assert await journal.want_again("pred0001")
    assert [(image.state, image.problem) for image in await images(journal)] == [
        (ImageState.WANTED, "The host is not public.")
    ] * 2
    assert len(await journal.unfinished(ORIGIN)) == 1


async def test_a_changed_setting_wants_what_was_refused_while_its_link_lives(place: Place) -> None:
    clock = HandClock()
    async with opened(place, clock) as journal:
        await journal.record(done(*URLS), adopting=adopting())
        for wait_s, is_wanted in ((10, True), (3600, False)):
            clock.advance(wait_s)
            await journal.image_problem("pred0001", 0, ImageState.REFUSED, "The host is not in DARKROOM_OUTPUT_HOSTS.")
            await journal.want_all_again(ORIGIN)
            assert ((await images(journal))[0].state is ImageState.WANTED) is is_wanted


async def test_an_inline_output_is_kept_whole_until_it_is_stored(journal: Journal) -> None:
    await journal.record(prediction("pred0002", PredictionStatus.SUCCEEDED, output=(INLINE,)), adopting=adopting())
    before = await journal.find("pred0002")
    assert before is not None and before.prediction is not None
    assert before.prediction.output == (INLINE,)
    await journal.image_stored(
        StoredImage(prediction_id="pred0002", index=0, url=INLINE, state=ImageState.STORED, file=FILE)
    )
    after = await journal.find("pred0002")
    assert after is not None and after.prediction is not None
    assert after.prediction.output == (after.images[0].url,) == ("data:image/png;… (3000 bytes)",)


async def test_an_image_without_a_file_is_not_stored(journal: Journal) -> None:
    with pytest.raises(ValueError, match="has a file"):
        await journal.image_stored(StoredImage(prediction_id="pred0001", index=0, url=URLS[0]))
    assert (await images(journal))[0].state is ImageState.WANTED


async def test_what_is_known_of_a_file_comes_back_as_it_was(journal: Journal) -> None:
    for index, look in enumerate((True, None)):
        file = replace(FILE, is_transparent=look, raster_location="/pictures/a-2048px.png" if look else "")
        image = StoredImage(prediction_id="pred0001", index=index, url=URLS[index], state=ImageState.STORED, file=file)
        await journal.image_stored(image)
        assert (await images(journal))[index].file == file
