"""Calls as functions: what is around each one, the gate, the transaction and the answer, is written here once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from inspect import Parameter, Signature, signature
from types import ModuleType
from typing import Annotated, Any, TypeVar, get_type_hints

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from permit_api.routes.gate import NO_CONTENT, InEnvironment
from permit_api.shapes.parts import Body

Function = TypeVar("Function", bound=Callable[..., Any])
Work = Callable[..., Any]
Writing = tuple[Work, type[Body]]
"""What a call does, and the body that it takes."""

Search = Annotated[
    str | None,
    Query(
        max_length=200, description="A text that keys or names contain; with a * at its end, one that they begin with."
    ),
]
Filter = Annotated[str | None, Query(max_length=210, description="An id or a key.")]
Filters = Annotated[list[str], Query(default_factory=list, max_length=100, description="Ids or keys; any of them.")]


class Calls(APIRouter):
    """A router whose calls are functions of what their gate hands over: a session, a caller, or a session and a user.

    Args:
        prefix: where its addresses begin.
        tag: under which they are described.
        gate: whose ``read`` or ``write`` runs a function, in one transaction. What it takes of an address, functions
            do not get.
        idents: the type of the identifiers in its addresses.
    """

    def __init__(self, prefix: str, tag: str, gate: type = InEnvironment, idents: type = str) -> None:
        super().__init__(prefix=prefix, tags=[tag])
        self._gate, self._idents = gate, idents

    def reads(self, path: str = "") -> Callable[[Function], Function]:
        """Let a function answer ``GET path``.

        Its positional-only parameters are what the gate hands over, all others are read from the call; its name and
        its docstring describe the call. So it is with :meth:`writes`.
        """
        return self._decorated("GET", path, "read")

    def writes(
        self, method: str, path: str = "", status: int = 200, **described: Any
    ) -> Callable[[Function], Function]:
        """Let a function do what ``method path`` asks for, and answer with ``status``."""
        return self._decorated(method, path, "write", status, **described)

    def call(
        self, method: str, path: str, name: str, said: str, work: Work, *, status: int = 200, **taken: Any
    ) -> None:
        """One more call, for functions that several calls share.

        Args:
            method: of HTTP; GET reads, all others write.
            path: below the prefix.
            name: of the call.
            said: what it does, in a sentence.
            work: gets what the gate hands over, the identifiers in the whole path, and what is ``taken``, in this order.
            status: of an answer that is good.
            **taken: what the call reads besides, by name, each as an annotation that the framework understands.
        """
        own_gate = signature(self._gate).parameters
        idents = [each for each in re.findall(r"{(\w+)}", self.prefix + path) if each not in own_gate]
        named = dict.fromkeys(idents, self._idents) | taken

        def by_position(*handed: Any, **given: Any) -> Any:
            return work(*handed, *(given[each] for each in named))

        by_position.__name__, by_position.__doc__ = name, said
        own = [_own(each, annotation) for each, annotation in named.items()]
        self._register(method, path, "read" if method == "GET" else "write", by_position, own, status)

    def crud(
        self,
        verbs: Mapping[str, Work],
        words: str,
        ident: str,
        create: type[Body] | None = None,
        change: type[Body] | None = None,
        gone: str = "",
    ) -> None:
        """The calls that nearly every noun has, as :meth:`call` makes them, of those verbs that are there.

        Args:
            verbs: the functions by ``create_set``, ``get_set``, ``change_set``, ``delete_set``.
            words: for the noun, with the article.
            ident: what its identifier is called in the address.
            create: the body of a new one.
            change: the body of what changes.
            gone: what goes along, said after "away".
        """
        bare, one = words.partition(" ")[2], f"/{{{ident}}}"
        for name, work in verbs.items():
            match name.partition("_")[0]:
                case "create":
                    self.call("POST", "", name, f"A new {bare}.", work, body=create)
                case "get":
                    self.call("GET", one, name, f"One {bare}.", work)
                case "change":
                    self.call("PATCH", one, name, "Change what is given.", work, body=change)
                case "delete":
                    self.call("DELETE", one, name, f"Take {words} away{gone}.", work, status=NO_CONTENT)

    def _decorated(
        self, method: str, path: str, way: str, status: int = 200, **described: Any
    ) -> Callable[[Function], Function]:
        def decorate(work: Function) -> Function:
            hints = get_type_hints(work, include_extras=True)
            given = [each for each in signature(work).parameters.values() if each.kind is not each.POSITIONAL_ONLY]
            own = [_own(each.name, hints[each.name], each.default) for each in given]
            self._register(method, path, way, work, own, status, **described)
            return work

        return decorate

    def _register(
        self, method: str, path: str, way: str, work: Work, own: Iterable[Parameter], status: int, **described: Any
    ) -> None:
        how: Mapping[str, Any] = {} if way == "read" or status == 200 else {"status": status}

        async def endpoint(gate: Any, **given: Any) -> Response:
            answer: Response = await getattr(gate, way)(lambda *handed: work(*handed, **given), **how)
            return answer

        endpoint.__name__, endpoint.__doc__ = work.__name__, work.__doc__
        taken = [_own("gate", Annotated[self._gate, Depends()]), *own]
        endpoint.__signature__ = Signature(taken)  # type: ignore[attr-defined]
        self.add_api_route(path, endpoint, methods=[method], status_code=status, response_model=None, **described)


def verbs_of(noun: ModuleType, name: str, *which: str) -> dict[str, Work]:
    """The functions of a noun's module for these verbs, or for the four of :meth:`Calls.crud`, by their names."""
    names = [f"{verb}_{name}" for verb in which or ("create", "get", "change", "delete")]
    return {each: getattr(noun, each) for each in names}


def _own(name: str, annotation: Any, default: Any = Parameter.empty) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
