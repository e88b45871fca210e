"""Answers requests without FastAPI's handling, which would take as long as finding similar movies."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import cached_property
from typing import Any, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from engine.service.problems import REFUSALS, ProblemError, problem_of
from engine.service.questions import LONGEST_ID

_VERSION = "/v1"
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class LeanRoute(APIRoute):
    """Calls a route's function directly, without FastAPI's slower handling of requests.

    The arguments of the route's function are the request and each id in the request's path. If the route's
    function has a parameter `asked`, whose type is a Pydantic class, `LeanRoute` also passes an object of
    this class. The argument `asked` is made from the query string (GET) or from the JSON body (POST) of the
    request. FastAPI describes a `LeanRoute` in the OpenAPI document, but does not handle the requests of the
    route, because resolving dependencies and copying values would take time for each request.
    """

    @cached_property
    def lean_handler(self) -> _Handler:
        """Returns the function that answers a request for this route."""
        answer: Callable[..., Awaitable[Response]] = self.endpoint
        hints = get_type_hints(answer)
        names = [name for name in inspect.signature(answer).parameters if name not in ("request", "asked")]
        model: type[BaseModel] | None = hints.get("asked")
        in_body = "POST" in (self.methods or ())
        lists = frozenset() if model is None else _fields_with_lists(model)

        async def handle(request: Request) -> Response:
            values: dict[str, Any] = {name: _checked(name, request.path_params[name]) for name in names}
            if model is not None:
                try:
                    if in_body:
                        require_json(request)
                        values["asked"] = model.model_validate_json(await request.body())
                    else:
                        values["asked"] = model.model_validate(_query(request, lists))
                except ValidationError as error:
                    raise RequestValidationError(error.errors(include_url=False)) from error
            return await answer(request, **values)

        return handle

    def get_route_handler(self) -> _Handler:
        """Returns the function that FastAPI calls for requests that do not pass through `LeanRouter`."""
        return self.lean_handler


class LeanRouter:
    """Answers, as an ASGI application, the requests for routes of the class `LeanRoute`, without FastAPI.

    All requests that belong to no `LeanRoute` are passed to FastAPI. `LeanRouter` looks up a request's path
    in a dictionary, which is faster than FastAPI's comparison of the path with the pattern of each route.

    Args:
        app: the FastAPI application, which answers all requests for routes of other classes.
        routes: the routes of the service; only routes of the class `LeanRoute` are used. In an address, the
            path of a route follows `/v1` or `/v1/indexes/NAME`. A path may have one parameter, which must be
            at the end of the path.
    """

    def __init__(self, app: ASGIApp, *, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        lean = [route for route in routes if isinstance(route, LeanRoute)]
        self._exact = {(method, route.path): route for route in lean for method in route.methods or ()}
        self._begun = [_begin(route) for route in lean if "{" in route.path]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request for a `LeanRoute`; passes any other request to the FastAPI application."""
        if scope["type"] == "http" and scope["path"].startswith(_VERSION):
            found = self._find(scope["method"], scope["path"].removeprefix(_VERSION))
            if found is not None:
                route, scope["path_params"] = found
                scope["route"] = route
                try:
                    response = await route.lean_handler(Request(scope, receive))
                except REFUSALS as error:
                    # The answer to an error must also pass through the middleware that lets web pages of
                    # other origins read answers.
                    response = problem_of(error)
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _find(self, method: str, path: str) -> tuple[LeanRoute, dict[str, str]] | None:
        """Returns the `LeanRoute` to which a path belongs, and the values of the parameters in the path.

        The result is None if the path belongs to no `LeanRoute`.
        """
        parameters = {}
        if path.startswith("/indexes/"):
            parameters["index_name"], slash, path = path.removeprefix("/indexes/").partition("/")
            path = slash + path
        if (exact := self._exact.get((method, path))) is not None:
            return exact, parameters
        for begin, name, route in self._begun:
            if path.startswith(begin) and len(path) > len(begin) and method in (route.methods or ()):
                parameters[name] = path[len(begin) :]
                return route, parameters
        return None


def _begin(route: LeanRoute) -> tuple[str, str, LeanRoute]:
    """Splits a route's path before its parameter: /movies/{movie_id:path} becomes /movies/ and movie_id."""
    begin, _, parameter = route.path.partition("{")
    return begin, parameter.partition(":")[0], route


def _checked(name: str, given: str) -> str:
    """Checks the length of an id in the path of a request, and returns the id.

    Raises:
        ProblemError: the id is empty or too long.
    """
    if not 0 < len(given) <= LONGEST_ID:
        raise ProblemError(422, f"{name}: an id has between 1 and {LONGEST_ID:,} characters.")
    return given


def _query(request: Request, lists: frozenset[str]) -> dict[str, str | list[str]]:
    """Reads the query string of a request; a field whose name is in `lists` gets a list of all its values."""
    text = request.scope["query_string"]
    if not text:
        return {}
    found: dict[str, Any] = {}
    for name, value in parse_qsl(text.decode("latin-1"), keep_blank_values=True):
        if name in lists:
            found.setdefault(name, []).append(value)
        else:
            found[name] = value
    return found


def require_json(request: Request) -> None:
    """Checks that the header Content-Type of a request names JSON.

    A web page of another website can make a browser send a form or plain text to the service, and the browser
    does not ask the service first. Before a browser sends JSON for a web page of another website, the browser
    asks the service for permission. Because the service accepts only JSON, it refuses requests from web pages
    that have no permission from the service.

    Raises:
        ProblemError: the header is missing, or names a type other than JSON.
    """
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise ProblemError(415, "The body must be JSON; send the header Content-Type: application/json.")


def _fields_with_lists(model: type[BaseModel]) -> frozenset[str]:
    def takes_list(annotation: Any) -> bool:
        return get_origin(annotation) is list or any(takes_list(one) for one in get_args(annotation))

    return frozenset(name for name, field in model.model_fields.items() if takes_list(field.annotation))
