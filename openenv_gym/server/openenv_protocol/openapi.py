"""The OpenAPI document of the server's routes."""

from __future__ import annotations

from typing import Any

from openenv_gym import __version__
from openenv_gym.models import State
from openenv_gym.server.openenv_protocol.requests import ResetData, RpcRequest, StepData
from openenv_gym.wire.messages import JsonDescription
from openenv_gym.wire.names import (
    CONFIG_PATH,
    HEALTH_PATH,
    MCP_PATH,
    MCP_SESSION_HEADER,
    METADATA_PATH,
    READY_PATH,
    RESET_PATH,
    SCHEMA_PATH,
    SESSION_COOKIE,
    SESSION_HEADER,
    STATE_PATH,
    STEP_PATH,
)

VERSION = "1.0.0"
"""That of OpenEnv's protocol, by which its tools know what they may expect."""

_JSON = "application/json"
_SESSION_PARAMETERS = [
    {
        "name": SESSION_HEADER,
        "in": "header",
        "description": "The session, as the reply to the first reset named it.",
        "schema": {"type": "string"},
    },
    {
        "name": SESSION_COOKIE,
        "in": "cookie",
        "description": "The session, for clients that keep cookies.",
        "schema": {"type": "string"},
    },
]

_MCP_SESSION = {
    "name": MCP_SESSION_HEADER,
    "in": "header",
    "description": "The session of a client of MCP, as the reply to initialize named it.",
    "schema": {"type": "string"},
}

Json = dict[str, Any]


def document(info: Json, found: JsonDescription | None) -> Json:
    """The document.

    Args:
        info: Title, summary and description.
        found: Of the environment; None where none was made yet.
    """
    parts: dict[str, Json] = {
        "Action": {"type": "object"} if found is None else found.action_space,
        "Observation": {"type": "object"} if found is None else found.observation_space,
        "State": State.model_json_schema() if found is None else found.state_schema,
        "ResetRequest": reset_schema(found),
        "StepRequest": StepData.model_json_schema(),
        "RpcRequest": RpcRequest.model_json_schema(),
        **_ANSWERS,
    }
    parts["StepRequest"]["properties"]["action"] = _ref("Action")
    paths = _paths()
    if found is not None and found.config is not None:
        paths[CONFIG_PATH] = _get("config", "The environment's configuration.", "Config")
    parts["Observation"] = _nested(parts["Observation"])
    return {
        "openapi": "3.1.0",
        "info": {**info, "version": VERSION, "x-openenv-gym-version": __version__},
        "paths": paths,
        "components": {"schemas": {name: _relocated(part, name) for name, part in parts.items()}},
    }


def reset_schema(found: JsonDescription | None) -> Json:
    """Return the schema of a reset: seed, id of the episode, and the environment's own options."""
    options = {} if found is None else found.reset_schema
    shared = ResetData.model_json_schema()
    properties = {**options.get("properties", {}), **shared["properties"]}
    return {**shared, "additionalProperties": True, **options, "properties": properties}


def _nested(observation: Json) -> Json:
    """An observation as it travels: done and reward are beside it."""
    properties = observation.get("properties", {})
    kept = {name: part for name, part in properties.items() if name not in ("done", "reward")}
    return {**observation, "properties": kept} if properties else observation


def _relocated(schema: Any, name: str) -> Any:
    """A schema whose references hold where it stands in the document."""
    if isinstance(schema, dict):
        return {
            key: value.replace("#/$defs/", f"#/components/schemas/{name}/$defs/")
            if key == "$ref" and isinstance(value, str)
            else _relocated(value, name)
            for key, value in schema.items()
        }
    return [_relocated(item, name) for item in schema] if isinstance(schema, list) else schema


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: list[str], **properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": required}


_TEXT: Json = {"type": "string"}
_ANSWERS: dict[str, Json] = {
    "Result": _object(
        ["observation", "reward", "done", "metadata"],
        observation=_ref("Observation"),
        reward={"type": ["number", "null"]},
        done={"type": "boolean"},
        metadata={"type": ["object", "null"]},
    ),
    "Problems": _object(
        ["detail"],
        detail={
            "type": "array",
            "items": _object(["type", "loc", "msg"], type=_TEXT, loc={"type": "array"}, msg=_TEXT),
        },
    ),
    "Failure": _object(["detail", "code"], detail=_TEXT, code=_TEXT),
    "Names": {"type": "array", "items": _TEXT},
    "Health": _object(["status"], status={"const": "healthy"}),
    "Ready": _object(["status"], status={"const": "ready"}),
    "Schemas": _object(
        ["action", "observation", "state"],
        action={"type": "object"},
        observation={"type": "object"},
        state={"type": "object"},
        reset_observation={"type": "object"},
    ),
    "Config": {"type": "object"},
    "Metadata": _object(
        ["name", "description"],
        name=_TEXT,
        description=_TEXT,
        readme_content={"type": ["string", "null"]},
        version={"type": ["string", "null"]},
        author={"type": ["string", "null"]},
        documentation_url={"type": ["string", "null"]},
    ),
    "RpcReply": _object(
        ["jsonrpc", "id"],
        jsonrpc={"const": "2.0"},
        id={"type": ["string", "integer", "null"]},
        result={"type": "object"},
        error=_object(["code", "message"], code={"type": "integer"}, message=_TEXT),
    ),
}


def _content(schema: Json) -> Json:
    return {"content": {_JSON: {"schema": schema}}}


def _responses(answer: str, **failures: str) -> Json:
    reported = {"200": {"description": "The answer.", **_content(_ref(answer))}}
    for status, description in failures.items():
        schema = _ref("Problems" if status == "_422" else "Failure")
        reported[status[1:]] = {"description": description, **_content(schema)}
    return reported


_LOST = {"_404": "The session is over.", "_413": "The request is too large."}
_NONE = {"_400": "The request names no session."}
_FAILED = {"_409": "There is no running episode.", "_500": "The environment failed."}
_FULL = {"_503": "The server has as many sessions as it may have."}
_CLOSING = {"_503": "The server is ending, or not ready yet."}
_REFUSED = {"_422": "The request was refused; the environment was not stepped."}


def _paths() -> Json:
    return {
        RESET_PATH: {
            "post": {
                "summary": "Begins an episode; the first time, a session too.",
                "operationId": "reset",
                "parameters": _SESSION_PARAMETERS,
                "requestBody": _content(_ref("ResetRequest")),
                "responses": _responses("Result", **_LOST, **_REFUSED, **_FAILED, **_FULL),
            }
        },
        STEP_PATH: {
            "post": {
                "summary": "Carries out an action.",
                "operationId": "step",
                "parameters": _SESSION_PARAMETERS,
                "requestBody": {"required": True, **_content(_ref("StepRequest"))},
                "responses": _responses("Result", **_NONE, **_LOST, **_REFUSED, **_FAILED),
            }
        },
        STATE_PATH: {
            "get": {
                "summary": "The environment's state, beside the observation.",
                "operationId": "state",
                "parameters": _SESSION_PARAMETERS,
                "responses": _responses("State", **_NONE, **_LOST, **_FAILED),
            }
        },
        MCP_PATH: {
            "post": {
                "summary": "JSON-RPC: MCP itself, and sessions of OpenEnv's own clients.",
                "operationId": "mcp",
                "parameters": [_MCP_SESSION],
                "requestBody": {"required": True, **_content(_ref("RpcRequest"))},
                "responses": {
                    **_responses("RpcReply", _413="The request is too large."),
                    "202": {"description": "A notification was taken."},
                    "404": {"description": "The session is over.", **_content(_ref("RpcReply"))},
                },
            },
            "delete": {
                "summary": "Ends a session of MCP.",
                "operationId": "mcp_end",
                "parameters": [_MCP_SESSION],
                "responses": {
                    "204": {"description": "It ends."},
                    "404": {"description": "There is none.", **_content(_ref("RpcReply"))},
                },
            },
        },
        SCHEMA_PATH: _get("schema", "JSON schemas of actions, observations and states.", "Schemas"),
        METADATA_PATH: _get("metadata", "The environment's name and description.", "Metadata"),
        "/list_environments": _get(
            "list_environments", "Names of the environments served here.", "Names"
        ),
        HEALTH_PATH: _get("health", "Says that the server answers.", "Health", **_CLOSING),
        READY_PATH: _get("ready", "Says that it takes new sessions.", "Ready", **_CLOSING),
    }


def _get(id: str, summary: str, answer: str, **failures: str) -> Json:
    made = answer in ("Schemas", "Config")  # an environment is, if there was none
    failures |= {"_500": _FAILED["_500"], **_FULL} if made else {}
    reported = {"summary": summary, "operationId": id, "responses": _responses(answer, **failures)}
    return {"get": reported}
