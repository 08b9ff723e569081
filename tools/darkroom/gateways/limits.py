"""How long and how much one exchange with a gateway may take."""

from dataclasses import dataclass

# One layer grows a block 1000-fold at most; layers multiply, and brotli and zstd know no such bound.
BOUNDED_ENCODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
MAX_REPLY_BYTES = 32 * 1024 * 1024  # a sync answer may hold its images as data URIs


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds. `read_s` holds for each read and for the whole body; a time that the gateway may hold comes on top."""

    connect_s: float = 5.0
    write_s: float = 30.0
    read_s: float = 30.0
    pool_s: float = 10.0

    @property
    def until_headers_s(self) -> float:
        """The end of waiting for a first answer, however slowly it drips."""
        return self.connect_s + self.write_s + self.read_s
