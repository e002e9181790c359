"""Conditions laid flat for OPA, whose rules may not call themselves.

A condition becomes a list of nodes, and every node knows its layer: comparisons are layer 0, whatever is made of others
stands one above the highest of them. ``policies/opa/conditions.rego`` evaluates layer after layer. Negations move down to
comparisons and matches; with three outcomes, too, "not all" is "any not", so no verdict changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from permit_core.decision.opa_values import plain
from permit_core.errors import ConfigurationError
from permit_core.policy.conditions import AttributeName, Comparison, Condition, Logic

MOST_LAYERS = 16
"""What conditions.rego has written out; deeper conditions cannot be evaluated there."""

MOST_MATCHES = 4
"""How deep matches can stand in matches there."""

_OPPOSITE = {"all": "any", "any": "all"}
_OUTERMOST = -1


def flat_condition(condition: Condition, name: str) -> dict[str, Any]:
    """A condition as ``{"nodes", "layers", "matches", "root"}``; nodes are named by their place in the list.

    Args:
        condition: as it was read from the policy.
        name: the set it belongs to, for errors.

    Raises:
        ConfigurationError: it is deeper than the rules for OPA go.
    """
    flat = _Flat()
    root, top = flat.add(condition, negated=False, within=_OUTERMOST, depth=0)
    if top > MOST_LAYERS or flat.deepest > MOST_MATCHES:
        raise ConfigurationError(
            f"POLICY_FILE: the conditions of {name} are nested too deep for PDP=opa: it takes {MOST_LAYERS} levels of "
            f"logic and {MOST_MATCHES} matches within each other; simplify them, or set PDP=embedded"
        )
    layers = [[place for place, layer in enumerate(flat.layers) if layer == each] for each in range(top + 1)]
    matches = [place for place, node in enumerate(flat.nodes) if node["is"] == "match"]
    return {"nodes": flat.nodes, "layers": layers, "matches": matches, "root": root}


class _Flat:
    def __init__(self) -> None:
        self.nodes: list[dict[str, Any]] = []
        self.layers: list[int] = []
        self.deepest = 0

    def add(self, condition: Condition, *, negated: bool, within: int, depth: int) -> tuple[int, int]:
        """Add a condition and what it is made of; its place and its layer."""
        if isinstance(condition, Logic):
            return self._logic(condition, negated=negated, within=within, depth=depth)
        place = self._reserve()
        node: dict[str, Any] = {"within": within, "negated": negated, "left": _name(condition.subject)}
        layer = 0
        if isinstance(condition, Comparison):
            right = condition.operand
            operand = _name(right) if isinstance(right, AttributeName) else {"value": plain(right)}
            operator = f"time {condition.operator}" if condition.timed else condition.operator
            node |= {"is": "comparison", "operator": operator, "right": operand}
        else:
            self.deepest = max(self.deepest, depth + 1)
            inner, below = self.add(condition.inner, negated=False, within=place, depth=depth + 1)
            layer = below + 1
            node |= {"is": "match", "which": condition.operator, "inner": inner}
            if condition.fk_resource_type is not None:
                node["of_type"] = condition.fk_resource_type
        return self._place(place, node, layer)

    def _logic(self, condition: Logic, *, negated: bool, within: int, depth: int) -> tuple[int, int]:
        if condition.kind == "not":
            return self.add(condition.parts[0], negated=not negated, within=within, depth=depth)
        kind = _OPPOSITE[condition.kind] if negated else condition.kind
        parts = list(_parts(condition, negated, kind))
        if len(parts) == 1:
            return self.add(parts[0][0], negated=parts[0][1], within=within, depth=depth)
        place = self._reserve()
        added = [self.add(part, negated=turned, within=within, depth=depth) for part, turned in parts]
        node = {"is": kind, "within": within, "parts": [each for each, _ in added]}
        return self._place(place, node, 1 + max(layer for _, layer in added))

    def _reserve(self) -> int:
        self.nodes.append({})
        self.layers.append(0)
        return len(self.nodes) - 1

    def _place(self, place: int, node: dict[str, Any], layer: int) -> tuple[int, int]:
        self.nodes[place], self.layers[place] = node, layer
        return place, layer


def _parts(condition: Condition, negated: bool, kind: str) -> Iterator[tuple[Condition, bool]]:
    """The parts of an ``all`` or ``any``, and those of its parts that are of the same kind; with each, if negated."""
    if isinstance(condition, Logic):
        if condition.kind == "not":
            yield from _parts(condition.parts[0], not negated, kind)
            return
        if (_OPPOSITE[condition.kind] if negated else condition.kind) == kind:
            for part in condition.parts:
                yield from _parts(part, negated, kind)
            return
    yield condition, negated


def _name(name: AttributeName) -> dict[str, Any]:
    return {"of": name.root, "names": list(name.names)}
