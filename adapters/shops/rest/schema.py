"""The schema that bodies are checked against, as OpenAPI 3.1."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from adapters.shops.rest.bodies import LONGEST_NUMBER, NAMED, TEXT, TRACKING, OrderBody, ScansBody

REPLAY_SECONDS = 300
LARGEST = 1024 * 1024
"""Bytes of a body."""

_REFERENCE = "#/components/schemas/{model}"
_HEADERS = (
    ("X-Wismo-Key", "a key of web.api_keys", {"type": "string"}),
    ("X-Wismo-Timestamp", f"Unix seconds, within {REPLAY_SECONDS} s", {"type": "string", "pattern": "^[0-9]{1,12}$"}),
    (
        "X-Wismo-Signature",
        "v1=<hex HMAC-SHA256(secret, timestamp.METHOD.path?query.body)>",
        {"type": "string", "pattern": "^v1=[0-9a-f]{64}$"},
    ),
)
_NAMES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "order": ("number", {"minLength": 1, "maxLength": LONGEST_NUMBER, "pattern": NAMED}),
    "carrier": ("carrier", {"minLength": 1, "maxLength": 50, "pattern": TEXT}),
    "parcel": ("number", {"maxLength": 50, "pattern": TRACKING}),
}
_ERROR = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
_FIELD = {
    "type": "object",
    "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
    "required": ["field", "message"],
}
_FIELDS = {
    "type": "object",
    "properties": {"error": {"type": "string"}, "fields": {"type": "array", "items": _FIELD}},
    "required": ["error", "fields"],
}
_LINK = {
    "type": "object",
    "properties": {
        "url": {"type": "string", "description": "opens the chat and proves the order"},
        "qr": {"type": "string", "description": "the address as a QR code: a data: URL of an SVG"},
    },
    "required": ["url", "qr"],
}
_ACCEPTED = {
    "type": "object",
    "properties": {
        "accepted": {"const": True},
        "links": {"type": "object", "description": "of an order, by channel", "additionalProperties": _LINK},
    },
    "required": ["accepted"],
}
_ANSWERS = (
    ("202", "stored; an `updated_at` older than known is ignored later", _ACCEPTED),
    ("400", "the body is not JSON", _ERROR),
    ("401", "the key, the time or the signature is wrong", _ERROR),
    ("403", "the key has no such scope", _ERROR),
    ("413", f"the body has more than {LARGEST} bytes", _ERROR),
    ("422", "what is wrong, field by field", _FIELDS),
)


@cache
def openapi() -> Mapping[str, Any]:
    """The document of /api/openapi.json."""
    schemas: dict[str, Any] = {}
    for model in (OrderBody, ScansBody):
        schema = model.model_json_schema(ref_template=_REFERENCE)
        schemas |= schema.pop("$defs", {})
        schemas[model.__name__] = schema
    return {
        "openapi": "3.1.0",
        "info": {"title": "Wismo", "version": "1"},
        "paths": {
            "/api/orders/{number}": _put("An order as it stands", "OrderBody", "order"),
            "/api/parcels/{carrier}/{number}/scans": _put("A parcel's scans", "ScansBody", "carrier", "parcel"),
        },
        "components": {"schemas": schemas},
    }


def _put(summary: str, model: str, *names: str) -> dict[str, Any]:
    path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", **limits}}
        for name, limits in map(_NAMES.__getitem__, names)
    ]
    headers = [
        {"name": name, "in": "header", "required": True, "schema": schema, "description": text}
        for name, text, schema in _HEADERS
    ]
    answers = {
        code: {"description": text, "content": {"application/json": {"schema": schema}}}
        for code, text, schema in _ANSWERS
    }
    body = {"application/json": {"schema": {"$ref": _REFERENCE.format(model=model)}}}
    return {
        "put": {
            "summary": summary,
            "parameters": path + headers,
            "requestBody": {"required": True, "content": body},
            "responses": answers,
        }
    }
