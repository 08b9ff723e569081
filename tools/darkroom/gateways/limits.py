"""How long and how much one exchange with a gateway may take."""

from dataclasses import dataclass

# One layer grows a block 1000-fold at most; layers multiply, and brotli and zstd know no such bound.
BOUNDED_ENCODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
MAX_REPLY_BYTES = 64 * 1024 * 1024  # images may come as data URIs: four PNGs of 9 MB take 48 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds. `read_s` holds for each read; the time for which the gateway may hold its answer comes on top."""

    connect_s: float = 5.0
    write_s: float = 30.0
    read_s: float = 30.0
    pool_s: float = 10.0
