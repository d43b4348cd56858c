"""Bad weather between a store and DynamoDB: clients that lose replies, send twice, or are throttled in parts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

Call = Callable[..., Any]


class Weather:
    """A client whose named operations pass through `around`; the others reach the real one as they are."""

    def __init__(self, client: Any, around: Callable[[Call, str, dict[str, Any]], Any], *operations: str) -> None:  # noqa: ANN401 # clients are made at run time
        self._client, self._around, self._operations = client, around, operations

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 # as above
        real = getattr(self._client, name)
        if name not in self._operations:
            return real

        async def call(**arguments: Any) -> Any:  # noqa: ANN401 # as above
            return await self._around(real, name, arguments)

        return call


class LosesReplies:
    """The first so many requests arrive and are carried out, and their replies are lost."""

    def __init__(self, count: int) -> None:
        self.left = count

    async def __call__(self, real: Call, name: str, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 # as above
        answer = await real(**arguments)
        if self.left:
            self.left -= 1
            raise ReadTimeoutError(endpoint_url=name)
        return answer


async def sends_twice(real: Call, _: str, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 # as above
    """Send every request again, as botocore does when it saw no reply, and give the second reply."""
    with suppress(ClientError):  # whatever came of the first sending: nobody sees it
        await real(**arguments)
    try:
        answer = await real(**arguments)
    except ClientError as exc:
        exc.response["ResponseMetadata"]["RetryAttempts"] = 1
        raise
    answer["ResponseMetadata"]["RetryAttempts"] = 1
    return answer


class ThrottlesOne:
    """Takes one statement out of the first batch, and answers it as throttled."""

    def __init__(self, at: int = 0) -> None:
        self.at: int | None = at

    async def __call__(self, real: Call, _: str, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 # as above
        if self.at is None or len(arguments["Statements"]) <= self.at:
            return await real(**arguments)
        at, self.at = self.at, None
        statements = arguments["Statements"]
        answer = await real(Statements=statements[:at] + statements[at + 1 :])
        error = {"Code": "ThrottlingError", "Message": "Throughput exceeds the current capacity of your table"}
        answer["Responses"].insert(at, {"Error": error})
        return answer


class CountsUnmet:
    """Passes every write on, and counts those whose condition was not met."""

    def __init__(self) -> None:
        self.unmet = 0

    async def __call__(self, real: Call, _: str, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 # as above
        try:
            answer = await real(**arguments)
        except ClientError:
            self.unmet += 1
            raise
        self.unmet += sum("Error" in response for response in answer.get("Responses", ()))
        return answer
