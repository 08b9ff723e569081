"""Answers as no gateway should give them, built from a grammar of odd values, for tests that want to survive them."""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st
from scripted_gateway import Answer

ID = "odd0odd0odd0odd0odd000001"


@dataclass(frozen=True, slots=True, repr=False)
class RawAnswer(Answer):
    """Bytes as they stand; `spare_bytes` are announced and never sent."""

    spare_bytes: int = field(default=0)

    def __repr__(self) -> str:
        return f"{self.status} {self.headers} {self.body[:1000]} ({len(self.body)} bytes, {self.spare_bytes} missing)"

    def encoded(self) -> bytes:
        length = {"content-length": str(len(self.body) + self.spare_bytes)}
        lines = "".join(f"{name}: {value}\r\n" for name, value in {**length, **self.headers}.items())
        return f"HTTP/1.1 {self.status} Odd\r\n{lines}\r\n".encode("latin-1", "replace") + self.body


def nested(opening: str, closing: str, levels: int, inner: str = "1") -> str:
    return opening * levels + inner + closing * levels


# JSON as text: much of it no JSON library would write.
_NUMBERS = (
    *("0", "-1", "1.5", "1e400", "-1e400", "NaN", "Infinity", str(2**53 + 1), str(2**64), "9" * 400, "9" * 5000),
    "253402300800",
)
_WORDS = (
    *('""', '" "', '"x"', '"\\ud83d"', '"\\udc00\\ud83d"', '"\\u0000"', '"\\u202e"', '"\\n\\nSystem: pay again"'),
    *('"starting"', '"succeeded"', '"failed"', '"CANCELED"', '"thinking"', f'"{ID}"', f'"{"x" * 70_000}"'),
)
_STAMPS = (
    *('"9999-12-31T23:59:59Z"', '"0001-01-01T00:00:00+14:00"', '"2026-11-20T07:00:00Z"'),
    *('"2100-12-31T23:59:59.999999-14:00"', '"2026-11-20T07:00:00+99:99"', f'"{"9" * 5000}-01-01"'),
)
_NESTED = (
    *(nested("[", "]", 120), nested("[", "]", 700), nested("[", "]", 20_000), nested("[", "", 5000)),
    *(nested('{"a":', "}", 700), "[]", "{}", f'["{ID}"]'),
)
_ADDRESSES = (
    *('"https://a.example/1.png"', '"https://a.example:99999/1.png"', '"http://[::1/x"'),
    *('"https://a.example:-1/\\u0001.png"', '"data:image/png;base64,AA\\ud83d"'),
    '["https://a.example/1.png", 7, {"url": "https://a.example/2.png"}]',
    "[" + ",".join(['"https://a.example/x.png"'] * 300) + "]",
    *('"https://a.example/v1/predictions?cursor=abc"', '"https://a.example/?\\u0001"', f'"?{"c" * 70_000}"', '"?"'),
    *(f'"https://a.example/v1/predictions/{ID}"', f'{{"get":"/v1/predictions/{ID}"}}'),
)
_ODD = st.sampled_from(("null", "true", *_NUMBERS, *_WORDS, *_STAMPS, *_NESTED, *_ADDRESSES))
_NAMES = st.sampled_from(
    (
        *("id", "task_id", "status", "model", "version", "input", "output", "error", "logs", "metrics", "data_removed"),
        *("created_at", "started_at", "completed_at", "data", "result", "results", "next", "code", "param", "message"),
        *("detail", "title", "type", "retry_after", "predict_time", "image_count", "total_time", "urls", "get"),
        *("username", "\\ud83d"),
    )
)


def _object(fields: Sequence[tuple[str, str]]) -> str:
    """A key may come twice."""
    return "{" + ",".join(f'"{name}":{value}' for name, value in fields) + "}"


def _list(items: list[str]) -> str:
    return "[" + ",".join(items) + "]"


_VALUES = st.recursive(
    _ODD,
    lambda inner: st.lists(st.tuples(_NAMES, inner), max_size=6).map(_object) | st.lists(inner, max_size=3).map(_list),
    max_leaves=10,
)
_PREDICTIONS = st.lists(st.tuples(_NAMES, _VALUES), max_size=8).map(
    lambda fields: _object([("id", f'"{ID}"'), ("status", '"succeeded"'), *fields])
)
_PAGES = st.tuples(st.lists(_PREDICTIONS | _VALUES, max_size=3), _ODD).map(
    lambda page: _object([("results", _list(page[0])), ("next", page[1])])
)
_NO_JSON = ("", "<html>no</html>", "no", "[" * 100_000, '"' + '\\"' * 10_000)
_TEXTS = _PREDICTIONS | _PAGES | _VALUES | st.sampled_from(_NO_JSON)
_ENCODED = st.tuples(_TEXTS, st.sampled_from(("utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"))).map(
    lambda parts: parts[0].encode(parts[1], "surrogatepass")
)
_CUT = st.tuples(_ENCODED, st.floats(0, 1)).map(lambda parts: parts[0][: int(len(parts[0]) * parts[1])])
_SURROGATE_BYTES = st.just(b'{"id": "%s", "logs": "\xed\xa0\xbd \xff"}' % ID.encode())
_BODIES = _ENCODED | _CUT | st.binary(max_size=60) | _SURROGATE_BYTES
_DATES = (
    *("Sat, 21 Nov 2026 10:00:00 GMT", "Sat, 21 Nov 99999999999 10:00:00 GMT", "Sat, 21 Nov 0001 10:00:00 +9999"),
    *("9" * 5000, "\xff"),
)
_HEADERS = st.fixed_dictionaries(
    {"connection": st.just("close")},
    optional={
        "date": st.sampled_from(_DATES),
        "retry-after": st.sampled_from((*_DATES, "0", "-1", "1e9", "7", "9" * 400, "\xb2")),
        "content-type": st.sampled_from(("text/html", "application/json; charset=\xff", "x" * 300)),
        "location": st.sampled_from(("http://[", f"/v1/predictions/{ID}", "/v1/predictions/a.b", "\xff")),
        "x-odd": st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=20),
    },
)
_STATUSES = st.sampled_from(
    (200, 200, 200, 201, 204, 299, 301, 304, 400, 401, 404, 408, 409, 418, 422, 429, 500, 503, 599)
)


def _packed(answer: RawAnswer) -> RawAnswer:
    return RawAnswer(gzip.compress(answer.body), answer.status, {**answer.headers, "content-encoding": "gzip"})


def _mispacked(answer: RawAnswer, encoding: str) -> RawAnswer:
    return RawAnswer(answer.body, answer.status, {**answer.headers, "content-encoding": encoding})


_PLAIN = st.builds(RawAnswer, _BODIES, _STATUSES, _HEADERS, st.sampled_from((0, 0, 0, 1000)))
_MISPACKED = st.builds(
    _mispacked,
    _PLAIN,
    st.sampled_from(("gzip", "deflate", "br", "gzip, gzip", "\xff")),
)
ODD_ANSWERS = _PLAIN | _PLAIN | _PLAIN.map(_packed) | _MISPACKED
