"""An image: one output of a prediction on its way home."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

MAX_IMAGE_BYTES = 64 * 1024 * 1024
# How the problem of an image begins whose file ends too early.
DAMAGED = "The file is damaged: its end is missing"


class ImageState(StrEnum):
    """WANTED until its file is saved (STORED), its link has died (EXPIRED) or it is not fetched for good (REFUSED).

    REFUSED becomes WANTED again where the person asks or the setting that forbids its host changes.
    """

    WANTED = "wanted"
    STORED = "stored"
    EXPIRED = "expired"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """What lies in the output folder. `location` is an absolute path or an object URL such as `s3://bucket/key`.

    Type, width and height are read from the content, never from a header; 0 x 0 where the format has no pixels (SVG
    without a size). `is_transparent`: a pixel lets something through; None where nobody has looked. `raster_location`
    is where the PNG of a drawing (SVG) lies, beside it. `link` and `raster_link` are where those reach both who do not
    reach the locations; "" for everybody else, and never written down.
    """

    location: str
    mime_type: str
    width_px: int
    height_px: int
    size_bytes: int
    sha256: str
    is_transparent: bool | None = None
    raster_location: str = ""
    link: str = ""
    raster_link: str = ""

    @property
    def shown(self) -> str:
        """Where whoever asks finds it."""
        return self.link or self.location

    @property
    def raster_shown(self) -> str:
        """The same of the PNG of a drawing; "" where there is none."""
        return self.raster_link or self.raster_location


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage:
    """Output number `index` (from 0) of a prediction, with its file once it is STORED.

    `problem` says in words why it is not saved (WANTED, EXPIRED, REFUSED) or what is wrong with the file (STORED; one
    without its end begins with DAMAGED).
    """

    prediction_id: str
    index: int
    url: str
    state: ImageState = ImageState.WANTED
    expires_at: datetime | None = None
    file: StoredFile | None = None
    problem: str = ""

    @property
    def is_damaged(self) -> bool:
        """Whether what came of it, saved or not, has no end."""
        return self.state in (ImageState.WANTED, ImageState.STORED) and self.problem.startswith(DAMAGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadImage:
    """An image reference of a request that was read here: as it was given, and what its bytes were before any change.

    Width and height are those of the upright image, 0 x 0 where its header does not say.
    """

    given: str
    sha256: str
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedOutput:
    """What was asked of the images that a prediction gives, as far as they can be measured by it.

    Pixels of an exact size, or of `scale` times the image given; a format such as "png". 0 and "" ask for nothing.
    """

    width_px: int = 0
    height_px: int = 0
    scale: float = 0.0
    format: str = ""
