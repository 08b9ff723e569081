"""A crash at any line of saving an image leaves the whole image or none, and the next start ends the work."""

import json
import os
import subprocess
import sys
from pathlib import Path

import crashing_store
import systems


@systems.forks
def test_a_crash_at_any_line_leaves_a_whole_image_or_none_and_the_next_start_saves_it(tmp_path: Path) -> None:
    script = Path(crashing_store.__file__)
    paths = os.pathsep.join(path for path in sys.path if path)
    finished = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        env={"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    result = json.loads(finished.stdout)
    assert result["wrong"] == []
    assert result["lines"] > 80
