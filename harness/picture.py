"""Take a picture of a page, as a reader sees it: `python -m harness.picture PAGE.html PICTURE.png [HEADING HEIGHT]`.

With a heading the picture begins there.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from harness.browser import browser

WIDTH, HEIGHT = 1100, 1340


async def main() -> None:
    """Open the page and take its picture."""
    async with browser() as page:
        await page.open(Path(sys.argv[1]).resolve().as_uri())
        heading, height = (sys.argv[3], int(sys.argv[4])) if len(sys.argv) > 3 else ("", HEIGHT)
        await page.screenshot(Path(sys.argv[2]), width=WIDTH, dark=False, height=height, heading=heading)


if __name__ == "__main__":
    asyncio.run(main())
