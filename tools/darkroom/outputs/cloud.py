"""The output folder in an object store (S3, Google Cloud Storage, Azure) through obstore, the extra `cloud`.

A put is atomic there. It is made only if the name is free: by asking first, and by a precondition, because some stores
that speak S3 ignore preconditions and some refuse them. Credentials come from the usual variables of each cloud, which
obstore reads itself.
"""

import io
import logging
import re
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio
from anyio import to_thread

from darkroom.errors import OutputError, SettingsError
from darkroom.images import MAX_IMAGE_BYTES
from darkroom.outputs.naming import ImageName
from darkroom.outputs.whole import Content

if TYPE_CHECKING:
    from obstore import Attributes
    from obstore.store import ObjectStore

log = logging.getLogger(__name__)

SCHEMES = ("s3://", "gs://", "az://")
# ImageFetching tries again by itself for as long as the link lives.
_RETRY_TIME = timedelta(seconds=30)
_CHECK_NAME, _CHECK_S = ".darkroom-check", 10.0
_REFUSES_PRECONDITIONS = re.compile("NotImplemented|501 Not Implemented")


_Result = TypeVar("_Result")


class CloudTarget:
    """A bucket and a prefix in it. `place` is their URL without a slash at the end."""

    check_lasts_s = 600.0

    def __init__(self, url: str, store: "ObjectStore") -> None:
        self.place = url.rstrip("/")
        self._store = store

    async def step(self, work: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
        return await work()

    async def computed(self, work: Callable[[], _Result]) -> _Result:
        """What takes long without the store."""
        return await to_thread.run_sync(work)

    def location(self, name: str) -> str:
        return f"{self.place}/{name}"

    def name_at(self, location: str) -> str | None:
        """The name of an object directly under the prefix, None for any other location."""
        place, _, name = location.rpartition("/")
        return name if place == self.place and name not in ("", ".", "..") else None

    def file_name(self, image: ImageName, ending: str) -> str:
        """Without words: a bucket is not searched for an earlier name, so this one must be the same for every row."""
        return image.handle + ending

    async def link(self, name: str, lifetime_s: int) -> str:
        """Signed by the credentials of this process; "" where the store cannot do that."""
        from obstore import sign_async
        from obstore.exceptions import BaseError

        try:
            # What cannot sign, such as a store in memory, refuses by itself.
            return await sign_async(cast("Any", self._store), "GET", name, timedelta(seconds=lifetime_s))
        except (BaseError, TypeError, ValueError, OSError) as error:
            log.warning("'%s' gives no links (%s)", self.place, type(error).__name__)
            return ""

    async def names_of(self, image: ImageName) -> list[str]:
        """None beside those that `file_name` gives."""
        return []

    async def check(self, expected_bytes: int) -> None:
        """Put a small object and take it away again, as far as that is allowed; room there is always."""
        with _in_words(self.place), anyio.fail_after(_CHECK_S):
            await self._store.put_async(_CHECK_NAME, b"darkroom", use_multipart=False)
        await self.remove(_CHECK_NAME)

    async def draft(self, *, is_private: bool = False) -> "CloudDraft":
        return CloudDraft(self.place, self._store)

    async def remove(self, name: str) -> None:
        """Remove what is there; what is not, or may not be, stays as it is."""
        from obstore.exceptions import BaseError

        with suppress(BaseError, OSError), anyio.fail_after(_CHECK_S):
            await self._store.delete_async(name)

    async def clear(self) -> int:
        """Delete every object under the prefix; how many there were. Raises: OutputError."""
        count = 0
        with _in_words(self.place):
            async for found in self._store.list(chunk_size=500):  # pyright: ignore[reportUnknownMemberType]  # Arrow's
                await self._store.delete_async([each["path"] for each in found])
                count += len(found)
        return count

    async def read(self, name: str) -> bytes:
        with _in_words(self.place):
            found = await self._store.get_async(name)
            if found.meta["size"] > MAX_IMAGE_BYTES:
                raise OutputError(f"'{name}' in '{self.place}' is larger than {MAX_IMAGE_BYTES // 2**20} MiB.")
            return bytes(await found.bytes_async())


class CloudDraft:
    """One object on its way, in memory until `publish`."""

    def __init__(self, place: str, store: "ObjectStore") -> None:
        self._place = place
        self._store = store
        self._content = io.BytesIO()

    async def beside(self) -> "CloudDraft":
        return CloudDraft(self._place, self._store)

    async def write(self, data: bytes) -> None:
        self._content.write(data)

    async def examine(self, question: Callable[[Content], bool]) -> bool:
        return await to_thread.run_sync(question, self._content.getvalue())

    async def publish(self, name: str, mime_type: str) -> bool:
        """Put the object; False where the name is taken (the draft then waits for another one)."""
        from obstore.exceptions import AlreadyExistsError, GenericError, NotSupportedError, PreconditionError

        content = self._content.getvalue()
        attributes: Attributes = {"Content-Type": mime_type}
        if mime_type == "image/svg+xml":
            # An SVG can carry scripts: opened from the bucket it is saved, not shown.
            attributes["Content-Disposition"] = "attachment"
        with _in_words(self._place):
            with suppress(FileNotFoundError):
                await self._store.head_async(name)
                return False
            try:
                await self._store.put_async(name, content, mode="create", attributes=attributes)
            except (AlreadyExistsError, PreconditionError):
                return False
            except (NotSupportedError, GenericError) as error:
                # A store that refuses the precondition itself (HTTP 501); the question above stays as the guard.
                if isinstance(error, GenericError) and not _REFUSES_PRECONDITIONS.search(str(error)):
                    raise
                await self._store.put_async(name, content, use_multipart=False, attributes=attributes)
        return True

    async def sync(self) -> None:
        """What is put is there for good."""

    async def aclose(self) -> None:
        self._content.close()


def open_store(url: str) -> "ObjectStore":
    """The store of `s3://bucket/prefix` and the like; nothing is sent yet.

    Raises: SettingsError where the extra is not installed or the URL is wrong.
    """
    try:
        from obstore.exceptions import BaseError
        from obstore.store import from_url
    except ImportError as error:
        raise SettingsError(
            f"DARKROOM_OUTPUT_DIR '{url}' needs the extra 'cloud'. Ask the user to install 'darkroom-mcp[cloud]'."
        ) from error
    try:
        return from_url(url, retry_config={"max_retries": 3, "retry_timeout": _RETRY_TIME})
    except (BaseError, ValueError) as error:
        raise SettingsError(
            f"DARKROOM_OUTPUT_DIR '{url}' cannot be opened. It has the form s3://bucket/prefix, gs://bucket/prefix "
            "or az://container/prefix; ask the user to check it."
        ) from error


@contextmanager
def _in_words(place: str) -> Generator[None]:
    """Say in a sentence what the store refuses; its own words can hold signatures, so only their kind is told."""
    from obstore.exceptions import BaseError

    try:
        yield
    except FileNotFoundError as error:
        raise OutputError(
            f"It is not in '{place}': the image was deleted, or there is no such bucket. Ask the user to check "
            "DARKROOM_OUTPUT_DIR.",
            can_retry=True,
        ) from error
    except (BaseError, OSError, ValueError) as error:
        raise OutputError(
            f"The object store refused '{place}' ({type(error).__name__}). Ask the user to check the bucket in "
            "DARKROOM_OUTPUT_DIR and its credentials.",
            can_retry=True,
        ) from error
