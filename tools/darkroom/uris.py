"""URIs read the same way everywhere: schemes, origins, this machine's own addresses, and data URIs.

Nothing here opens a connection or resolves a name, and nothing but `decode_data_uri` raises: what cannot be read as an
address (an impossible port, an open bracket, a control character, a host of 70 kB) has no host, no origin and no port.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from pydantic import JsonValue

_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]{1,30}):(//)?")
_PLAIN = r"[^/?#@:\[\]\\\s\x00-\x20\x7f\ud800-\udfff]"
_ADDRESS = re.compile(
    rf"([A-Za-z][A-Za-z0-9+.-]{{1,30}})://(?:(?:{_PLAIN}|:){{0,1000}}@)?"
    rf"(\[[0-9A-Fa-f:.]{{2,60}}\]|{_PLAIN}{{1,255}})(?::([0-9]{{0,5}}))?(?=[/?#]|\Z)"
)
_USUAL_PORTS = {"https": 443, "http": 80}
# With blanks in its head, such as those of a file name, only base64 tells it from words.
_DATA_URI = r"(?i)\s*data:(?:[^\s,]*(?:,|\Z)|[^,]{0,200};\s*base64\s*,)"
_SHORTENED = r"(?i)data:[^;]*;… \(\d+ bytes\)"
_SHOWN_CHARACTERS = 60
_MOST_ESCAPES = 1_000_000  # of percent-encoding, which takes a while to decode; an SVG of 1 MB has fewer


class TooLarge(ValueError):
    """A data URI with more content than the caller takes."""


def scheme_of(text: str) -> str:
    """ "https" of "HTTPS://host", "data" of "data:…"; empty where there is none. One letter is a drive of Windows."""
    found = _SCHEME.match(text)
    return found[1].lower() if found else ""


def is_url(text: str) -> bool:
    """Whether it begins with `scheme://`, as "s3://bucket" does; a path does not."""
    found = _SCHEME.match(text)
    return bool(found and found[2])


def is_web_url(text: str) -> bool:
    """Whether it begins with http:// or https://."""
    return is_url(text) and scheme_of(text) in _USUAL_PORTS


def origin_of(url: str) -> str:
    """`https://host[:port]` in lower case, the scheme's own port left out; empty where no host and port can be read."""
    scheme, host, port = _address(url)
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" + ("" if port in (None, _USUAL_PORTS.get(scheme)) else f":{port}") if host else ""


def host_of(url: str) -> str:
    """The host in lower case, an IPv6 address without brackets; empty where there is none that can be read."""
    return _address(url)[1]


def port_of(url: str) -> int | None:
    """The port, also where it is only implied by http or https; None where there is none that can be read."""
    scheme, _, port = _address(url)
    return _USUAL_PORTS.get(scheme) if port is None else port


def is_unresolvable(url: str) -> bool:
    """Whether its host has a name that nobody can look up (`.invalid`, RFC 2606)."""
    return host_of(url).endswith(".invalid")


def is_loopback_url(url: str) -> bool:
    """Whether the host of the URL is this machine."""
    return is_loopback(host_of(url))


def is_loopback(host: str) -> bool:
    """True for `localhost`, 127.0.0.0/8 and ::1 written as such, so that only this machine can be meant."""
    try:
        ip = ip_address(host)
    except ValueError:
        return host.lower() == "localhost"
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return (mapped or ip).is_loopback


def _address(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and the port that is written there; the host is empty where the three cannot be read."""
    found = _ADDRESS.match(url)
    if found is None:
        return "", "", None
    scheme, host, port = found[1].lower(), found[2].lower(), int(found[3]) if found[3] else None
    if host.startswith("["):
        try:
            host = str(IPv6Address(host[1:-1]))
        except ValueError:
            host = ""
    return (scheme, host, port) if host and (port or 0) < 65536 else ("", "", None)


def is_data_uri(text: str) -> bool:
    """Whether it is a data URI; words that merely begin with "data:" are none."""
    return re.match(_DATA_URI, text) is not None


def data_uri(mime_type: str, content: bytes) -> str:
    """The content as a data URI."""
    return f"data:{mime_type};base64,{base64.b64encode(content).decode()}"


def decode_data_uri(uri: str, *, limit_bytes: int) -> tuple[str, bytes]:
    """The type it claims, in lower case and empty where it claims none, and the content.

    Line breaks in base64, missing padding and the URL-safe alphabet are taken.

    Raises: TooLarge for more than `limit_bytes`; ValueError with the end of a sentence for what cannot be decoded.
    """
    head, comma, payload = uri.lstrip()[len("data:") :].partition(",")
    if not comma:
        raise ValueError("the data URI has no comma, so no content.")
    escapes = payload.count("%")
    # Line breaks and the like may take as much room again; what is decoded is measured below.
    if escapes > _MOST_ESCAPES or len(payload) - 2 * escapes > limit_bytes * 2 + 4:
        raise TooLarge(f"it is larger than {limit_bytes // 2**20} MiB, the most that is taken.")
    try:
        content = unquote_to_bytes(payload)
        if _is_base64(head):
            compact = b"".join(content.split()).translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")
            content = base64.b64decode(compact + b"=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("its base64 is broken." if _is_base64(head) else "its text is broken.") from error
    if len(content) > limit_bytes:
        raise TooLarge(f"it is larger than {limit_bytes // 2**20} MiB, the most that is taken.")
    return head.partition(";")[0].strip().lower(), content


def data_size_bytes(uri: str) -> int:
    """How many bytes a data URI holds, without decoding it; exact where its base64 has no odd characters."""
    head, _, payload = uri.partition(",")
    size = len(payload) - 2 * payload.count("%")
    if not _is_base64(head):
        return size
    end = payload.rstrip()[-6:].lower().replace("%3d", "=")
    blanks = sum(payload.count(blank) for blank in " \t\r\n")
    return max(size - blanks - (len(end) - len(end.rstrip("="))), 0) * 3 // 4


def shorten_data_uri(text: str) -> str:
    """`data:image/png;… (12345 bytes)`; anything else as it is, also what has been shortened before."""
    if not is_data_uri(text):
        return text
    head, comma, _ = text.strip().partition(",")
    if not comma and len(head) <= _SHOWN_CHARACTERS:
        return text
    size_bytes = data_size_bytes(text) if comma else len(head)
    return f"{head.partition(';')[0][:_SHOWN_CHARACTERS]};… ({size_bytes} bytes)"


def is_shortened(text: str) -> bool:
    """Whether it is what `shorten_data_uri` leaves of a data URI."""
    return re.fullmatch(_SHORTENED, text) is not None


def shorten_data_uris(value: "JsonValue | tuple[str, ...] | Mapping[str, JsonValue]", levels: int = 100) -> "JsonValue":
    """The same value with every data URI in it shortened, so that a record stays small; cut below so many levels."""
    match value:
        case str():
            return shorten_data_uri(value)
        case Mapping() | list() | tuple() if not levels:
            return "…"
        case Mapping():
            return {name: shorten_data_uris(item, levels - 1) for name, item in value.items()}
        case list() | tuple():
            return [shorten_data_uris(item, levels - 1) for item in value]
        case _:
            return value


def _is_base64(head: str) -> bool:
    return any(parameter.strip() == "base64" for parameter in head.lower().split(";")[1:])


def texts_in(value: "JsonValue") -> Iterator[str]:
    """Every text in a JSON value, at any depth; the names of members are none."""
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts_in(inner)
