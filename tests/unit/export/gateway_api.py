"""The rules of the Gateway API's schemas that our objects could break, reduced by hand.

Source: the custom resource definitions of the Gateway API v1, standard channel.
"""

from typing import Any

_NAME = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 253}
_PORT = {"type": "integer", "minimum": 1, "maximum": 65_535}
_HOST = {
    "type": "string",
    "maxLength": 253,
    "pattern": r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
}
_FIELD = {"type": "string", "pattern": r"^[A-Za-z0-9!#$%&'*+\-.^_|~]+$", "maxLength": 256}


def _table(required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _list(items: dict[str, Any], most: int = 16) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1, "maxItems": most}


def _object(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return _table(
        ["apiVersion", "kind", "metadata", "spec"],
        apiVersion={"const": "gateway.networking.k8s.io/v1"},
        kind={"const": kind},
        metadata=_table(["name"], name=_NAME),
        spec=spec,
    )


_BACKEND = {"name": _NAME, "port": _PORT}
_RULES = _table(
    [],
    set=_list(_table(["name", "value"], name=_FIELD, value={"type": "string", "minLength": 1})),
    remove=_list({"type": "string"}),
)
_PATH = {
    "oneOf": [
        _table(
            ["type", "replaceFullPath"],
            type={"const": "ReplaceFullPath"},
            replaceFullPath={"type": "string", "maxLength": 1_024},
        ),
        _table(
            ["type", "replacePrefixMatch"],
            type={"const": "ReplacePrefixMatch"},
            replacePrefixMatch={"type": "string", "maxLength": 1_024},
        ),
    ]
}
_FRACTION = _table(
    ["numerator"],
    numerator={"type": "integer", "minimum": 0},
    denominator={"type": "integer", "minimum": 1},
)
_FILTERS = {
    "requestHeaderModifier": ("RequestHeaderModifier", _RULES),
    "responseHeaderModifier": ("ResponseHeaderModifier", _RULES),
    "urlRewrite": ("URLRewrite", _table([], hostname=_HOST, path=_PATH)),
    "requestMirror": (
        "RequestMirror",
        _table(["backendRef"], backendRef=_table(["name"], **_BACKEND), fraction=_FRACTION),
    ),
    "requestRedirect": (
        "RequestRedirect",
        _table(
            [],
            scheme={"enum": ["http", "https"]},
            hostname=_HOST,
            port=_PORT,
            path=_PATH,
            statusCode={"enum": [301, 302]},
        ),
    ),
}
_FILTER = {
    "oneOf": [
        _table(["type", name], type={"const": type_}, **{name: schema})
        for name, (type_, schema) in _FILTERS.items()
    ]
}
_MATCH = _table(
    ["path"],
    path=_table(
        ["type", "value"],
        type={"enum": ["Exact", "PathPrefix", "RegularExpression"]},
        value={"type": "string", "maxLength": 1_024},
    ),
    method={
        "enum": ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]
    },
    headers=_list(
        _table(
            ["name", "value"],
            type={"enum": ["Exact", "RegularExpression"]},
            name=_FIELD,
            value={"type": "string", "minLength": 1, "maxLength": 4_096},
        )
    ),
)
_RULE = _table(
    [],
    matches=_list(_MATCH, 64),
    filters=_list(_FILTER),
    backendRefs=_list(
        _table(
            ["name", "port"],
            weight={"type": "integer", "minimum": 0, "maximum": 1_000_000},
            **_BACKEND,
        )
    ),
    timeouts=_table([], request={"type": "string", "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$"}),
)
SCHEMAS: dict[str, dict[str, Any]] = {
    "Gateway": _object(
        "Gateway",
        _table(
            ["gatewayClassName", "listeners"],
            gatewayClassName=_NAME,
            listeners=_list(
                _table(
                    ["name", "port", "protocol"],
                    name=_NAME,
                    port=_PORT,
                    protocol={"enum": ["HTTP", "HTTPS"]},
                ),
                64,
            ),
        ),
    ),
    "HTTPRoute": _object(
        "HTTPRoute",
        _table(
            ["parentRefs", "rules"],
            parentRefs=_list(_table(["name"], name=_NAME)),
            hostnames=_list(_HOST),
            rules=_list(_RULE),
        ),
    ),
    "BackendTLSPolicy": _object(
        "BackendTLSPolicy",
        _table(
            ["targetRefs", "validation"],
            targetRefs=_list(
                _table(
                    ["group", "kind", "name"],
                    group={"type": "string"},
                    kind={"const": "Service"},
                    name=_NAME,
                )
            ),
            validation=_table(
                ["hostname", "wellKnownCACertificates"],
                hostname=_HOST,
                wellKnownCACertificates={"const": "System"},
            ),
        ),
    ),
}
