"""Parse replies with botocore's parsers, and say of any that they break on that it cannot be parsed.

Parsers trust the form of a reply: on another they break with whatever error that leads to, of no class of botocore's.
"""

from __future__ import annotations

from typing import Any

from aiobotocore.parsers import AioResponseParserFactory
from botocore.parsers import ResponseParserError

BROKEN = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class ResponseParsers(AioResponseParserFactory):
    """What the session's component `response_parser_factory` makes parsers with."""

    def create_parser(self, protocol_name: str) -> Any:  # noqa: ANN401 - botocore's
        """Return a parser for a protocol."""
        return _Parser(super().create_parser(protocol_name))


class _Parser:
    """A parser that raises `ResponseParserError` alone."""

    def __init__(self, parser: Any) -> None:  # noqa: ANN401 - botocore's
        self._parser = parser

    async def parse(self, response: dict[str, Any], shape: Any) -> Any:  # noqa: ANN401 - botocore's
        """Parse a reply."""
        try:
            parsed = await self._parser.parse(response, shape)
        except BROKEN as exc:
            raise ResponseParserError(f"a reply that cannot be parsed: {exc!r}") from exc
        if not isinstance(parsed.get("Error", {}).get("Code", ""), str):  # which botocore looks up next
            raise ResponseParserError("an error without a code")
        return parsed
