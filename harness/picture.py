"""Take a picture of a page, as a reader sees it: `python -m harness.picture PAGE.html PICTURE.png`."""

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
        await page.screenshot(Path(sys.argv[2]), width=WIDTH, dark=False, height=HEIGHT)


if __name__ == "__main__":
    asyncio.run(main())
