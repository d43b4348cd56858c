"""Send DynamoDB's operations on items by a shorter way than botocore's, which takes half a millisecond of CPU for each.

botocore finds the endpoint by rules, signs, sends and reads each request through a dozen events and as many copies of
its headers. Here the endpoint and all that is the same in each request are found once, by botocore, and a reply that is
well is taken as it is. Laws: requests, replies and errors are those of botocore, and it alone judges what to repeat,
and when. What is unusual goes its way: another signature, a path in the endpoint, a proxy, an operation not on items;
and from then on everything, when a service does not take our signature for what it is.

The places are private to the aiobotocore that pyproject.toml pins. Where one is missing, all goes botocore's way.
"""

# ruff: noqa: SLF001 - there are no doors

from __future__ import annotations

import logging
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from zlib import crc32

import orjson
from aiobotocore.awsrequest import AioAWSResponse
from aiobotocore.endpoint import convert_to_response_dict
from aiobotocore.httpsession import AIOHTTPSession
from botocore.awsrequest import AWSPreparedRequest, HeadersDict
from botocore.handlers import add_retry_headers
from botocore.hooks import first_non_none_response
from yarl import URL

from pyanamo_async.aws.direct import ITEM_REPLIES
from pyanamo_async.aws.signing import signed

OPERATIONS = frozenset(reply.removesuffix("Output") for reply in ITEM_REPLIES)
USUAL_SIGNATURE = "v4"
UNUSUAL_SIGNING = {"request_credentials", "identity_cache"}
OK, FIRST_ERROR = 200, 300
UNSIGNED = {"InvalidSignatureException", "IncompleteSignatureException", "MissingAuthenticationTokenException"}
CHECKSUM, REQUEST_ID = "x-amz-crc32", "x-amzn-requestid"

logger = logging.getLogger(__name__)

Http = Any  # aiobotocore's reply, some of whose places have no types
Answer = tuple[Http, dict[str, Any]]


def shorten(client: Any) -> None:  # noqa: ANN401 - the places have no types
    """Have a client of DynamoDB that speaks directly send operations on items the short way."""
    try:
        client._make_api_call = Shortcut(client).call
    except AttributeError:
        return  # another botocore: its own way is longer, and as right


@dataclass(frozen=True, slots=True)
class Way:
    """Where requests of a kind go, and what is the same in all of them."""

    url: URL
    scope: tuple[str, str, str]
    headers: dict[str, str]
    context: dict[str, Any]


class Shortcut:
    """Takes the place of a client's `_make_api_call`."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - as above
        self._theirs, self._emit = client._make_api_call, client.meta.events.emit
        self._resolve, self._draft = client._resolve_endpoint_ruleset, client._convert_to_request_dict
        self._service, self._config, self._exceptions = client._service_model, client.meta.config, client.exceptions
        self._signer, endpoint = client._request_signer, client._endpoint
        self._choose_signer, self._credentials = self._signer._choose_signer, self._signer._credentials
        self._home = self._signer._region_name, self._signer._signing_name
        self._needs_retry, self._count = endpoint._needs_retry, endpoint._update_retries_context
        self._parsers, self._model_error = endpoint._response_parser_factory, endpoint._add_modeled_error_fields
        self._session, self._proxies = endpoint.http_session._get_session, endpoint.http_session._proxy_config
        self._ways: dict[Hashable, Way | None] = {}
        self._is_closed = False

    async def call(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Send a request and give the reply; raises what botocore raises."""
        way = await self._way(operation, arguments)
        if way is None:
            theirs: dict[str, Any] = await self._theirs(operation, arguments)
            return theirs
        model, context = self._service.operation_model(operation), {**way.context}
        changed = await self._emit(
            f"provide-client-params.dynamodb.{operation}", params=arguments, model=model, context=context
        )
        body = orjson.dumps(first_non_none_response(changed, default=arguments))
        request = {"headers": {**way.headers}, "body": body, "context": context}
        await self._emit(
            f"before-call.dynamodb.{operation}",
            model=model,
            params=request,
            request_signer=self._signer,
            context=context,
        )
        http, parsed = await self._until_answered(model, way, request)
        if http.status_code >= FIRST_ERROR and parsed.get("Error", {}).get("Code") in UNSIGNED:
            return await self._after_refusal(operation, arguments)
        await self._emit(
            f"after-call.dynamodb.{operation}", http_response=http, parsed=parsed, model=model, context=context
        )
        if http.status_code >= FIRST_ERROR:
            code = context.get("error_code_override") or parsed.get("Error", {}).get("Code")
            raise self._exceptions.from_code(code)(parsed, operation)
        return parsed

    async def _after_refusal(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        was_closed, self._is_closed = self._is_closed, True
        reply = await self.call(operation, arguments)
        if not was_closed:  # and botocore's signature was taken
            logger.warning("a signature was not taken that botocore makes otherwise: requests go its longer way")
        return reply

    async def _way(self, operation: str, arguments: dict[str, Any]) -> Way | None:
        if operation not in OPERATIONS or self._credentials is None or self._is_closed:
            return None
        account = (await self._credentials.get_frozen_credentials()).account_id  # an endpoint may have it in its name
        key = operation, account, arguments.get("TableName") or tuple(arguments.get("RequestItems", ()))
        if key not in self._ways:
            self._ways[key] = await self._find(self._service.operation_model(operation), arguments)
        return self._ways[key]

    async def _find(self, model: Any, arguments: dict[str, Any]) -> Way | None:  # noqa: ANN401 - botocore's
        context: dict[str, Any] = {
            "client_region": self._home[0],
            "client_config": self._config,
            "has_streaming_input": model.has_streaming_input,
            "auth_type": model.resolved_auth_type,
            "unsigned_payload": model.unsigned_payload,
            "auth_options": self._service.metadata.get("auth"),
        }
        endpoint, headers, properties = await self._resolve(model, arguments, context)
        if properties:
            context["endpoint_properties"] = properties
        draft = await self._draft(
            api_params={}, operation_model=model, endpoint_url=endpoint, context=context, headers=headers
        )
        url, signing = URL(draft["url"], encoded=True), context.get("signing", {})
        region, service = signing.get("region") or self._home[0], signing.get("signing_name") or self._home[1]
        is_usual = (
            await self._choose_signer(model.name, "standard", context) == USUAL_SIGNATURE
            and context.get("payload_signing_enabled", True)
            and not UNUSUAL_SIGNING & signing.keys()
            and url.raw_path_qs == "/"
            and self._proxies.proxy_url_for(draft["url"]) is None
        )
        host = url.host_port_subcomponent  # as aiohttp sends it
        return Way(url, (str(host), region, service), dict(draft["headers"]), context) if is_usual else None

    async def _until_answered(self, model: Any, way: Way, request: dict[str, Any]) -> Answer:  # noqa: ANN401 - botocore's
        sendings = 0
        answer: Answer | None = None
        while True:
            sendings += 1
            self._count(request["context"], sendings, answer)
            http = trouble = answer = None
            headers = await self._complete(way, request)
            try:
                http = await self._send(way, headers, request["body"])
            except Exception as exc:  # noqa: BLE001 - not handled here: it is judged, and raised
                trouble = exc
            is_well = http is not None and _is_well(http)
            if http is not None:
                answer = http, _plain(http) if is_well else await self._read(http, model)
            if (is_well and sendings == 1) or not await self._needs_retry(sendings, model, request, answer, trouble):
                break
        if answer is None:
            raise trouble or AssertionError("neither a reply nor an error")
        answer[1]["ResponseMetadata"]["RetryAttempts"] = sendings - 1
        return answer

    async def _complete(self, way: Way, request: dict[str, Any]) -> dict[str, str]:
        credentials = await self._credentials.get_frozen_credentials()
        now = datetime.now(UTC)
        headers = signed(request["headers"], request["body"], scope=way.scope, credentials=credentials, at=now)
        sending: Any = SimpleNamespace(headers=headers, context=request["context"])
        add_retry_headers(sending)
        headers["Accept-Encoding"] = "identity"
        return headers

    async def _send(self, way: Way, headers: dict[str, str], body: bytes) -> Http:
        try:
            session = await self._session(None)
            async with session.post(way.url, headers=headers, data=body) as reply:
                content = await reply.read()
        except Exception as exc:
            unsent: Any = AWSPreparedRequest("POST", str(way.url), HeadersDict(headers), body, False)  # type: ignore[arg-type]
            await _Failed(exc).send(unsent)  # raises it by the name that aiobotocore has for it
            raise
        told = {name.decode().lower(): value.decode() for name, value in reply.raw_headers}
        http: Any = AioAWSResponse(str(way.url), reply.status, told, reply)  # type: ignore[arg-type] # as aiobotocore does
        http._content = content
        return http

    async def _read(self, http: Http, model: Any) -> dict[str, Any]:  # noqa: ANN401 - botocore's
        reply = await convert_to_response_dict(http, model)
        parser = self._parsers.create_parser(self._service.resolved_protocol)
        parsed: dict[str, Any] = await parser.parse(reply, model.output_shape)
        if http.status_code >= FIRST_ERROR:
            await self._model_error(reply, parsed, model, parser)
        return parsed


class _Failed(AIOHTTPSession):
    """Raises what aiobotocore makes of an error of aiohttp."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    async def _get_session(self, proxy_url: str | None) -> Any:  # noqa: ANN401, ARG002 - aiobotocore's
        raise self._error


def _is_well(http: Http) -> bool:
    """Tell whether a reply came whole and is no error, so that nobody need judge it."""
    told = http.headers.get(CHECKSUM)  # which servers that are only like DynamoDB leave out
    return http.status_code == OK and (told is None or int(told) == crc32(http._content))


def _plain(http: Http) -> dict[str, Any]:
    parsed: dict[str, Any] = orjson.loads(http._content)
    parsed["ResponseMetadata"] = {"HTTPStatusCode": OK, "HTTPHeaders": http.headers}
    if REQUEST_ID in http.headers:
        parsed["ResponseMetadata"]["RequestId"] = http.headers[REQUEST_ID]
    return parsed
