"""What clients of AWS take from disk, taken with less: the models of services, and whom TLS trusts.

botocore looks through the folders of all 400 services before it makes its first client, reads half a megabyte of JSON
into ordered dictionaries, and reads the certificates anew for each client: 25 ms each time. The places are private to
the aiobotocore that is pinned; tests hold that clients come out the same.
"""

from __future__ import annotations

import gzip
import os
from functools import cache
from pathlib import Path
from ssl import SSLContext
from typing import Any

import aiohttp
import orjson
from aiobotocore.httpsession import AIOHTTPSession
from botocore.httpsession import create_urllib3_context, get_cert_path
from botocore.loaders import JSONFileLoader, Loader, create_loader


class _Files(JSONFileLoader):
    def _load_file(self, full_path: str, open_method: Any) -> Any:  # noqa: ANN401, ARG002 - botocore's
        file = Path(full_path)
        if not file.is_file():
            return None
        packed = file.read_bytes()
        return orjson.loads(gzip.decompress(packed) if file.suffix == ".gz" else packed)


class Models(Loader):
    """The models of services, found where `paths` (`AWS_DATA_PATH`) and botocore have them."""

    def __init__(self, paths: str | None) -> None:
        theirs = create_loader(paths)
        super().__init__(theirs.search_paths, file_loader=_Files(), include_default_search_paths=False)

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - botocore's
        """List what has a folder; whether that holds a model shows when it is read."""
        folders = [path for path in self.search_paths if Path(path).is_dir()]
        return sorted({name for folder in folders for name in os.listdir(folder)})  # noqa: PTH208 - 400 names, not paths


_AnySession: Any = AIOHTTPSession  # the stubs leave out what is private


class Connections(_AnySession):  # type: ignore[misc]
    """The connections of one client, that trust whom those of others do."""

    def _create_connector(self, proxy_url: str | None) -> Any:  # noqa: ANN401 - aiobotocore's
        if proxy_url or self._cert_file or not self._verify:
            return super()._create_connector(proxy_url)
        trust = _trusting(self._verify)
        return aiohttp.TCPConnector(limit=self._max_pool_connections, ssl=trust, **self._connector_args)


@cache
def _trusting(verify: Any) -> SSLContext:  # noqa: ANN401 - True, or a path
    context: SSLContext = create_urllib3_context()
    context.load_verify_locations(get_cert_path(verify))
    return context
