"""What strangers can have said in the log, they can have said once a minute."""

import logging

import pytest

from darkroom_server.team.sparing_log import SparingLog


def test_a_thing_is_said_at_once_and_then_once_a_minute_with_how_often_it_was(caplog: pytest.LogCaptureFixture) -> None:
    now_s = 0.0
    sparing = SparingLog(logging.getLogger("odd"), lambda: now_s)
    for at in range(0, 120, 10):
        now_s = float(at)
        sparing.warning("a webhook for %r was not signed", f"a{at}")
    sparing.warning("another %s", "thing")
    assert caplog.messages == [
        "a webhook for 'a0' was not signed",
        "a webhook for 'a60' was not signed (5 more like it since the last such line)",
        "another thing",
    ]
