"""The OpenAPI 3.1 document, made from the table of routes and the types they name.

In: rows.  Out: the document, and the row that serves it.  Touches: nothing.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.responses import Response

from raindrop_logging.wire import JSON
from raindrop_logging.workshop.refusals import Refused
from raindrop_logging.workshop.route_table import Query, Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from starlette.requests import Request

PATH: Final = "/api/openapi.json"
FORBIDDEN: Final = 403
"""Every route may answer it: to a Host or an Origin that is not this machine's."""

_PARAMETER: Final = re.compile(r"{([a-z_]+)}")


def row(rows: Sequence[Row], version: str) -> Row:
    """The route of the document, which describes itself too."""

    async def endpoint(request: Request) -> Response:
        del request
        return Response(encoded, media_type=JSON)

    own = Row(
        method="GET", path=PATH, name="get_openapi", endpoint=endpoint, answer=dict[str, Any], says="This document."
    )
    encoded = msgspec.json.encode(document([*rows, own], version))
    return own


def document(rows: Sequence[Row], version: str) -> dict[str, Any]:
    """What these routes take and answer."""
    types = [kind for row in rows for kind in _types(row)]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(map(id, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for row in rows:
        paths.setdefault(row.template, {})[row.method.lower()] = _operation(row, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "raindrop-logging Workshop",
            "version": version,
            "description": "What Raindrop's SDKs send, kept on this machine, and what can be asked of it.",
        },
        "paths": paths,
        "components": {"schemas": components},
    }


def _types(row: Row) -> Iterator[Any]:
    yield from (kind for kind in (row.body, row.answer) if kind is not None)
    yield from (query.type for query in (*row.queries, *row.headers))
    yield Refused


def _operation(row: Row, schema_of: dict[int, Any]) -> dict[str, Any]:
    told = {"content": {row.media: {"schema": schema_of[id(row.answer)]}}} if row.answer is not None else {}
    refused = {"content": {JSON: {"schema": schema_of[id(Refused)]}}}
    answers = {str(row.status): {"description": HTTPStatus(row.status).phrase, **told}} | {
        str(status): {"description": HTTPStatus(status).phrase, **refused} for status in (FORBIDDEN, *row.refusals)
    }
    operation: dict[str, Any] = {
        "operationId": row.name,
        "summary": row.says,
        "parameters": [*_path_parameters(row.template), *_parameters(row, schema_of)],
        "responses": answers,
    }
    if row.body is not None:
        content: dict[str, Any] = {JSON: {"schema": schema_of[id(row.body)]}}
        content |= {media: {"schema": {"type": "string", "format": "binary"}} for media in row.medias}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _path_parameters(template: str) -> Iterator[dict[str, Any]]:
    for name in _PARAMETER.findall(template):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _parameters(row: Row, schema_of: dict[int, Any]) -> Iterator[dict[str, Any]]:
    places: Iterable[tuple[str, tuple[Query, ...]]] = (("query", row.queries), ("header", row.headers))
    for place, queries in places:
        for query in queries:
            schema = schema_of[id(query.type)]
            shape = {"type": "array", "items": schema} if query.many else schema
            yield {"name": query.name, "in": place, "description": query.says, "schema": shape}
