"""Open pages in headless Chromium, over its DevTools protocol: what a person sees, and what the page says of errors."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import subprocess
import tempfile
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from harness.servers.parts import PartMissing

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_S = 240.0
FLAGS = (
    "--headless",
    "--no-sandbox",  # refuses to run as root otherwise
    "--disable-gpu",
    "--hide-scrollbars",  # of pictures
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)


def chromium() -> str:
    """Find the browser.

    Raises:
        PartMissing: there is none.
    """
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        raise PartMissing("reports are looked at in Chromium; there is no `chromium` here")
    return program


class Page:
    """A page of a browser: `problems` are errors and warnings of its console, and exceptions."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.problems: list[str] = []
        self.requests: list[str] = []
        self._socket = socket
        self._numbers = itertools.count(1)
        self._replies: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()

    async def listen(self) -> None:
        """Take what the browser sends, until it is gone."""
        async for message in self._socket:
            said = json.loads(message.data)
            if "id" in said:
                self._replies.pop(said["id"]).set_result(said)
                continue
            about = said.get("params", {})
            match said["method"]:
                case "Runtime.consoleAPICalled" if about["type"] in {"error", "warning", "assert"}:
                    self.problems.append(str([each.get("value", each) for each in about["args"]]))
                case "Runtime.exceptionThrown":
                    self.problems.append(str(about["exceptionDetails"]))
                case "Log.entryAdded" if about["entry"]["level"] in {"error", "warning"}:
                    self.problems.append(about["entry"]["text"])
                case "Network.requestWillBeSent":
                    self.requests.append(about["request"]["url"])
                case "Page.loadEventFired":
                    self._loaded.set()

    async def send(self, method: str, **params: object) -> dict[str, Any]:
        """Return the result of a command."""
        number = next(self._numbers)
        reply = self._replies[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        said = await asyncio.wait_for(reply, PATIENCE_S)
        assert "error" not in said, said
        result: dict[str, Any] = said["result"]
        return result

    async def open(self, address: str) -> None:
        """Open an address, and wait until it is loaded."""
        for each in ("Page", "Runtime", "Log", "Network"):
            await self.send(f"{each}.enable")
        self._loaded.clear()
        await self.send("Page.navigate", url=address)
        await asyncio.wait_for(self._loaded.wait(), PATIENCE_S)

    async def value(self, expression: str) -> Any:  # noqa: ANN401 - of JavaScript
        """Return the value of an expression; a promise is awaited."""
        said = await self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    async def until(self, condition: str) -> None:
        """Wait until a condition holds, also while the page is loaded anew."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                said = await self.send("Runtime.evaluate", expression=f"Boolean({condition})", returnByValue=True)
                if said["result"].get("value"):
                    return
                await asyncio.sleep(0.1)

    async def screenshot(
        self, path: Path, *, width: int, dark: bool, height: int | None = None, heading: str = ""
    ) -> None:
        """Save how the page looks: the whole, or so much from its top, or from a heading."""
        scheme = "dark" if dark else "light"
        await self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height or 900, deviceScaleFactor=1, mobile=False
        )
        if heading:
            found = f"[...document.querySelectorAll('h2')].find(each => each.textContent === {json.dumps(heading)})"
            await self.value(f"{found}.scrollIntoView()")
        await self.value("new Promise(done => requestAnimationFrame(() => setTimeout(done, 1000)))")
        taken = await self.send("Page.captureScreenshot", captureBeyondViewport=height is None)
        path.write_bytes(b64decode(taken["data"]))


@asynccontextmanager
async def browser() -> AsyncIterator[Page]:
    """Start a browser with a profile of its own, and end it.

    Raises:
        PartMissing: there is none on this machine.
    """
    program = chromium()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(  # noqa: ASYNC220 - returns at once
            [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"HOME": profile},
            start_new_session=True,
        )
        try:
            port = await _port(Path(profile) / "DevToolsActivePort", process)
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json/list") as reply:
                    [address, *_] = [
                        each["webSocketDebuggerUrl"] for each in await reply.json() if each["type"] == "page"
                    ]
                async with session.ws_connect(address, max_msg_size=0) as socket:
                    page = Page(socket)
                    listening = asyncio.create_task(page.listen())
                    try:
                        yield page
                    finally:
                        listening.cancel()
                        await asyncio.gather(listening, return_exceptions=True)
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait)


async def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    """Wait until the browser says on which port it listens."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            assert process.poll() is None, "the browser ended"
            lines = file.read_text().splitlines() if file.exists() else []
            if lines:
                return int(lines[0])
            await asyncio.sleep(0.1)
