"""How fast the page of `darkroom-mcp gallery` paints. Run: python tests/bench/page.py [PICTURES]."""

import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools"), str(ROOT / "server")]

from gallery_browser import open_browser  # noqa: E402
from page_rooms import Made, PageProcess, fill  # noqa: E402
from pictures import picture  # noqa: E402
from playwright.sync_api import Browser  # noqa: E402

from darkroom.journal.sqlite import open_database  # noqa: E402

_FILES, _TURNS = 40, 3
# Copies of the first rows, a quarter of an hour apart.
_ROWS = """INSERT INTO intents SELECT * FROM (SELECT {columns} FROM numbers CROSS JOIN
    (SELECT * FROM intents WHERE prediction_id = 'picture00000'))"""
_LISTED = "count => document.querySelector('#count').textContent === `${count.toLocaleString('en')} pictures`"
_SCROLL = """async () => {
  const times = [], height = document.documentElement.scrollHeight;
  for (let turn = 0, last = performance.now(); turn < 240; turn++) {
    scrollTo(0, height * turn / 240);
    await new Promise(requestAnimationFrame);
    times.push(performance.now() - last);
    last = performance.now();
  }
  return times.sort((one, other) => one - other);
}"""


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as name, open_browser() as browser:
        small, large = Path(name, "small"), Path(name, "large")
        for folder in (small, large):
            shapes = [picture("JPEG", size=(480, 320), color=(number * 6, 90, 120)) for number in range(_FILES)]
            fill(
                folder,
                [Made(content=shape, mime_type="image/jpeg", days_ago=number) for number, shape in enumerate(shapes)],
            )
        _multiply(large, count - _FILES)
        few, _, _ = _measured(browser, small, _FILES)
        first, listed, frames = _measured(browser, large, count)
        print(f"{count:,} pictures, medians of {_TURNS} turns")
        print(f"  first picture painted     {first:7.0f} ms   {first / few:.2f} of what {_FILES} pictures take")
        print(f"  all of them listed        {listed:7.0f} ms")
        slow = frames[len(frames) * 95 // 100]
        print(f"  frame while scrolling     {statistics.median(frames):7.1f} ms   95 %: {slow:.1f}")


def _multiply(folder: Path, count: int) -> None:
    connection, _ = open_database(folder / "data" / "journal.sqlite3")
    names = [str(row["name"]) for row in connection.execute("PRAGMA table_info(intents)")]
    changed = {
        "key": "printf('%026d', n)",
        "prediction_id": "printf('copied%06d', n)",
        "intended_at": "intended_at - n * 900",
        "sent_at": "sent_at - n * 900",
    }
    numbers = f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})"
    columns = ", ".join(changed.get(name, name) for name in names)
    connection.execute("BEGIN")
    connection.execute(f"{numbers} {_ROWS.format(columns=columns)}")
    names = [str(row["name"]) for row in connection.execute("PRAGMA table_info(images)")]
    columns = ", ".join(changed["prediction_id"] if name == "prediction_id" else name for name in names)
    source = f"(SELECT *, row_number() OVER () - 1 AS place FROM images) ON place = n % {_FILES}"
    connection.execute(f"{numbers} INSERT INTO images SELECT {columns} FROM numbers JOIN {source}")
    connection.execute("COMMIT")
    connection.close()


def _measured(browser: Browser, folder: Path, count: int) -> tuple[float, float, list[float]]:
    """First picture and all listed, ms, once thumbnails are there; the frames of one scroll through everything, ms."""
    first: list[float] = []
    listed: list[float] = []
    with PageProcess(folder) as server:
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        for _ in range(_TURNS + 1):
            began = time.perf_counter()
            page.goto(server.url)
            page.wait_for_selector(".tile img.is-here")
            first.append((time.perf_counter() - began) * 1000)
            page.wait_for_function(_LISTED, arg=count, timeout=120_000)
            listed.append((time.perf_counter() - began) * 1000)
        return statistics.median(first[1:]), statistics.median(listed[1:]), page.evaluate(_SCROLL)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
