"""Every place in which images of the journal's rows belong or lie: the one of the settings, and those of other days."""

from contextlib import suppress
from pathlib import Path

from darkroom.errors import OutputError, SettingsError
from darkroom.images import MAX_IMAGE_BYTES, StoredFile
from darkroom.outputs.cloud import SCHEMES, CloudTarget, open_store
from darkroom.outputs.local import LocalTarget
from darkroom.outputs.naming import ImageName
from darkroom.outputs.store import OutputStore, Saved
from darkroom.uris import is_url


class OutputStores:
    """The stores of all places, each opened once; `default` is that of the settings.

    `default_place` is a value of DARKROOM_OUTPUT_DIR. `spare` is a folder of ours (in the data folder) that takes
    images where their own place cannot be used.

    Raises: SettingsError for a `default_place` that is none.
    """

    def __init__(self, default_place: str, spare: Path) -> None:
        self.default = OutputStore(open_target(default_place))
        self._spare = OutputStore(LocalTarget(spare))
        self._stores = {store.place: store for store in (self._spare, self.default)}

    def at(self, place: str) -> OutputStore:
        """The store of an absolute folder or bucket URL; the default for "".

        Raises: OutputError where it cannot be opened.
        """
        if place and place not in self._stores:
            try:
                self._stores[place] = OutputStore(open_target(place))
            except SettingsError as error:
                raise OutputError(error.message, can_retry=True) from error
        return self._stores[place] if place else self.default

    async def usable(self, place: str, *, is_last_chance: bool = False) -> tuple[OutputStore, str]:
        """Where an image that belongs into `place` can be saved now: there, else in the spare folder, and then why.

        A folder is tried each time and made again where it has vanished. The failures of a bucket and a full disk may
        pass, so they send the image elsewhere only at the last chance, shortly before its link dies.
        """
        try:
            store = self.at(place)
            if is_last_chance or not is_url(store.place):
                await store.check(expected_bytes=MAX_IMAGE_BYTES if is_last_chance else 0)
            return store, ""
        except OutputError as error:
            try:
                await self._spare.check(expected_bytes=0)
            except OutputError:
                return self.at(place), ""
            return self._spare, f"It lies in '{self._spare.place}': {error.message}"

    async def found(self, image: ImageName, place: str) -> Saved | None:
        """What was saved of an image of that place before, whether or not anybody noted it."""
        for each in (place, self._spare.place):
            with suppress(OutputError):  # a place that cannot be read holds nothing for us
                if saved := await self.at(each).found(image):
                    return saved
        return None

    async def read(self, file: StoredFile) -> bytes:
        """The bytes of a file that the journal holds, in whatever place it lies: no other file can be asked for.

        Raises: OutputError where it is gone, is a link or is larger than MAX_IMAGE_BYTES.
        """
        return await self.holding(file).read(file)

    async def link(self, location: str, lifetime_s: int) -> str:
        """A link by which everybody reaches this file for so many seconds; "" where its place gives none."""
        try:
            return await self._of(location).link(location, lifetime_s)
        except OutputError:
            return ""

    @property
    def places(self) -> tuple[str, ...]:
        """All that were opened."""
        return tuple(self._stores)

    def holding(self, file: StoredFile) -> OutputStore:
        """The store in which this file lies. Raises: OutputError where it cannot be opened."""
        return self._of(file.location)

    def _of(self, location: str) -> OutputStore:
        return self.at(location.rpartition("/")[0] if is_url(location) else str(Path(location).parent))


def open_target(spec: str) -> LocalTarget | CloudTarget:
    """The target that a value of DARKROOM_OUTPUT_DIR names; empty is `darkroom` in the user's pictures folder.

    Nothing is touched yet; a local folder is made at the first write.

    Raises: SettingsError naming the variable.
    """
    spec = spec.strip()
    if spec.startswith(SCHEMES):
        return CloudTarget(spec, open_store(spec))
    if is_url(spec) or "\0" in spec:
        raise SettingsError(
            f"DARKROOM_OUTPUT_DIR '{spec[:100]}' is not a folder, s3://, gs:// or az:// address. Ask the user to "
            "mend it."
        )
    if not spec:
        from platformdirs import user_pictures_path

        return LocalTarget(user_pictures_path() / "darkroom")
    try:
        return LocalTarget(Path(spec))
    except RuntimeError as error:
        raise SettingsError(f"DARKROOM_OUTPUT_DIR '{spec}' names a home folder that is not known here.") from error
