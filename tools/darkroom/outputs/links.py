"""Links to stored images for people who cannot reach the place itself: the team of a server."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from darkroom.images import StoredFile, StoredImage
from darkroom.outputs.places import OutputStores
from darkroom.uris import is_url

_PATH = re.compile(r"/images/([A-Za-z0-9_~-]{1,70})/([1-9]\d{0,2})(?:\?as=png)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """`origin` serves `/images/ID/N` to the owner of the image; a bucket's own links live `lifetime_s` seconds."""

    origin: str
    lifetime_s: int

    def words(self, place: str) -> str:
        """What an answer says of those to images that are kept there."""
        if not is_url(place):
            return "The links are meant for this user alone, who has to log in to see them."
        minutes = max(1, round(self.lifetime_s / 60))
        return (
            f"The links are meant for this user alone and may die after {minutes} min; get_prediction gives new ones."
        )

    def meant(self, reference: str) -> str:
        """`prediction:ID/N` for the address of an image here, which no gateway can fetch; else as it is."""
        is_here = reference.startswith(f"{self.origin}/")
        own = _PATH.fullmatch(reference.removeprefix(self.origin)) if is_here else None
        return f"prediction:{own[1]}/{own[2]}" if own else reference

    async def added(self, images: Sequence[StoredImage], stores: OutputStores) -> tuple[StoredImage, ...]:
        """The images with links to their files, and without the server's own folders in their problems."""
        return tuple([await self._added(image, stores) for image in images])

    async def _added(self, image: StoredImage, stores: OutputStores) -> StoredImage:
        problem = image.problem
        for place in stores.places:
            problem = problem if is_url(place) else problem.replace(place, "the server")
        return replace(image, problem=problem, file=image.file and await self._linked(image, image.file, stores))

    async def _linked(self, image: StoredImage, file: StoredFile, stores: OutputStores) -> StoredFile:
        own = f"{self.origin}/images/{image.prediction_id}/{image.index + 1}"
        link = await stores.link(file.location, self.lifetime_s) or own
        if not file.raster_location:
            return replace(file, link=link)
        raster = await stores.link(file.raster_location, self.lifetime_s) or f"{own}?as=png"
        return replace(file, link=link, raster_link=raster)
