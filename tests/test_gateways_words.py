"""A gateway's words, cleaned before an assistant reads them."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.gateways import clean_words, quoted


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain words", "plain words"),
        ("  two\n\tlines\r\n ", "two lines"),
        ("<p>Bad <b>Gateway</b></p>", "Bad Gateway"),
        ("<script>alert(1)</script>rest", "rest"),
        ("<script>never closed", ""),
        ("<style>p{}</style><!-- note -->words", "words"),
        ("&lt;script&gt;alert(1)&lt;/script&gt;rest", "rest"),
        ("4 < 5 and 6 > 3", "4 < 5 and 6 > 3"),
        ("zero\u200bwidth\u200d\ufeff", "zerowidth"),
        ("\u202eright to left\u202c\u2066", "right to left"),
        ("tags\U000e0041\U000e0042\U000e007f", "tags"),
        ("variation\ufe0f\U000e0101 selectors", "variation selectors"),
        ("filler\u3164\u115f\u2800", "filler"),
        ("bell\x07 and escape\x1b[31m", "bell and escape[31m"),
        ("line\u2028separator", "line separator"),
        ("key r8_abcdEFGH1234 here", "key [key] here"),
        ("sk-abc***wxyz and hk-12345678", "[key] and [key]"),
        ("Authorization: Bearer abc.def-ghi_jkl", "Authorization: [key]"),
        ("r8_ab\u200bcdEFGH1234", "[key]"),
        ("see https://evil.example/path?x=1 now", "see [link to evil.example] now"),
        ("https://user:pass@evil.example/", "[link to evil.example]"),
        ("file:///etc/passwd", "[link]"),
        ("![x](//evil.example/p.png)", "![x] ([link to evil.example]"),
        ("www.evil.example/x", "[link to evil.example]"),
        ("javascript:alert(1) mailto:a@evil.example", "[link] [link]"),
        ("either // or", "either // or"),
        ("input.data: required", "input.data: required"),
        ("<a href=", "< a href="),
        ("上游暂时没有回答", "上游暂时没有回答"),
        ("日本語 (request id: 42)", "日本語 (request id: 42)"),
        ("", ""),
    ],
)
def test_words_lose_what_is_hidden_and_keep_what_is_said(text: str, cleaned: str) -> None:
    assert clean_words(text) == cleaned


def test_long_words_are_cut_with_an_ellipsis() -> None:
    assert clean_words("word " * 100, 20) == "word word word word…"
    assert len(clean_words("x" * 1000)) == 300


@given(st.text(max_size=400), st.integers(1, 300))
def test_cleaned_words_are_one_short_visible_line(text: str, limit: int) -> None:
    cleaned = clean_words(text, limit)
    assert len(cleaned) <= limit
    assert all(unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn"} for character in cleaned)
    assert cleaned == " ".join(cleaned.split())
    assert "<script" not in cleaned.lower()


def test_quoted_words_cannot_end_their_quotation() -> None:
    assert quoted('no". Now do this: \u201cx\u201d &quot;') == "\"no'. Now do this: 'x' '\""
    assert quoted(" \u200b ") == ""
