"""Random policies, facts and checks, drawn from one seed: what two decision engines can disagree about.

Values come from small pools of their round, so that they meet; the pools hold what engines take for the same although it
is not, or for different although it is the same. Half of the checks of a round, at least, are such that somebody may do something, where there are
any: unbiased questions are nearly all denied.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from permit_core.access import Check, Effect, ResourceRef
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User
from permit_core.identity import Actor
from permit_core.policy.condition_reader import ConditionFault, parse_condition
from permit_core.policy.engine import decide
from permit_core.policy.facts import Facts
from permit_core.policy.model import PolicyModel
from permit_core.policy.operators import OPERATORS
from permit_core.policy.references import declared_attributes
from permit_core.policy.schema import PolicyDocument

TENANTS = ("north", "south")
USERS = ("ann", "bob", "cat", "dan")
ATTRIBUTES = {
    "flag": "bool",
    "size": "number",
    "word": "string",
    "day": "time",
    "tags": "array",
    "things": "object_array",
    "thing": "object",
    "any": "json",
}
NUMBERS: tuple[Any, ...] = (0, 1, 1.0, 2, -1, 0.5, 2**53, 2**53 + 1, float(2**53), 2**63, 1e23, 10**23, 1e-7)
WORDS: tuple[Any, ...] = (
    "",
    "a",
    "ab",
    "b",
    "é",
    "1",
    "true",
    "k0",
    "k1",
    "2026-11-22",
    "\x00",
    "ann",
    "north",
    "😀",
)
TIMES: tuple[Any, ...] = (
    "2026-11-22", "2026-11-22T01:00+01:00", "2026-11-22T00:00:00.5Z", "08:30", "08:31", "9:00", "2026-9-1",
)  # fmt: skip
FLAGS = (True, False)
ODD: tuple[Any, ...] = (None, float("nan"), [], {}, [None], [[1], [True]], {"x": None}, {"x": {"y": 1}}, [{"x": 1}, 2])
KEYS = ("k0", "k1", "k2")
ACTIONS = "abcd"
BY_CONDITION = "efghijkl"
"""Actions that set rules alone grant."""


class Values:
    """The few values that meet each other in one round."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.numbers = tuple(chance.sample(NUMBERS, 3))
        self.words = tuple(chance.sample(WORDS, 3))
        self.times = (*chance.sample(TIMES, 3), self.words[0])
        self.scalars = (*self.numbers, *self.words, *FLAGS)

    def pool(self, kind: str) -> tuple[Any, ...]:
        """The simple values for an attribute of a kind."""
        known = {"number": self.numbers, "string": (*self.words, *KEYS), "time": self.times, "bool": FLAGS}
        return known.get(kind, self.scalars)

    def of(self, kind: str) -> Any:
        """A value that is meant for an attribute of a kind."""
        chance = self.chance
        match kind:
            case "array":
                return chance.choices(self.scalars + KEYS * 3, k=chance.randint(0, 3))
            case "object":
                inner = {
                    "x": chance.choice([*self.scalars, {"y": 1}]),
                    "size": chance.choice(self.numbers),
                    "word": "a",
                }
                return {name: value for name, value in inner.items() if chance.random() < 0.8}
            case "object_array":
                return [chance.choice([self.of("object"), 1]) for _ in range(chance.randint(0, 3))]
            case "json":
                return self.of(chance.choice(["array", "object", "object_array", "number", "string", "bool"]))
        return chance.choice(self.pool(kind))

    def attributes(self, likely: float) -> dict[str, Any]:
        """Some attributes, a few of them with values of another kind than is declared."""
        return {
            name: self.chance.choice(ODD + self.scalars) if self.chance.random() < 0.15 else self.of(kind)
            for name, kind in ATTRIBUTES.items()
            if self.chance.random() < likely
        }


@dataclass(frozen=True)
class Round:
    """A policy, facts, and checks on them."""

    model: PolicyModel
    facts: Facts
    checks: list[Check]


def random_round(seed: int, questions: int) -> Round:
    """The round of a seed; always the same."""
    chance = random.Random(seed)
    values = Values(chance)
    model = _Policies(chance, values).model()
    facts = _facts(chance, values, model)
    return Round(model, facts, _checks(chance, values, model, facts, questions))


class _Policies:
    def __init__(self, chance: random.Random, values: Values) -> None:
        self.chance, self.values = chance, values
        self.types = [f"t{number}" for number in range(chance.randint(2, 4))]
        self.relations = {
            kind: {f"r{n}": chance.choice([*self.types, kind]) for n in range(chance.randint(1, 2))}
            for kind in self.types
        }
        self.roles = {kind: [f"role{n}" for n in range(chance.randint(2, 4))] for kind in self.types}
        chance.shuffle(self.roles[self.types[0]])
        self.tenant_roles = ["boss", "aide", "guest"]
        chance.shuffle(self.tenant_roles)

    def model(self) -> PolicyModel:
        body: dict[str, Any] = {
            "version": 1,
            "name": "Random",
            "resources": {kind: self._resource(kind) for kind in self.types},
            "roles": {
                role: {
                    "permissions": self._some([f"{kind}:{action}" for kind in self.types for action in ACTIONS], 0.1),
                    "extends": self._some(self.tenant_roles[place + 1 :], 0.4),
                }
                for place, role in enumerate(self.tenant_roles)
            },
            "user_attributes": {name: {"type": kind} for name, kind in ATTRIBUTES.items()},
            "tools": {
                f"{kind}_{action}": {"action": action, "resource": f"{kind}:{{word}}", "arguments": ATTRIBUTES}
                for kind in self.types
                for action in (*ACTIONS, *BY_CONDITION)
            },
        }
        self.document = plain = PolicyDocument.model_validate(body)
        body["user_sets"] = {f"u{n}": {"conditions": self._condition(plain, None)} for n in range(4)}
        body["resource_sets"] = {
            f"{kind}s{n}": {"resource": kind, "conditions": self._condition(plain, kind)}
            for kind in self.types
            for n in range(2)
        }
        body["set_rules"] = [self._set_rule(kind, action) for kind in self.types for action in BY_CONDITION]
        body["set_rules"] += [
            self._set_rule(self.chance.choice(self.types), self.chance.choice(ACTIONS)) for _ in range(3)
        ]
        pairs = [(kind, action) for kind in self.types for action in ACTIONS]
        body["operation_approvals"] = [
            {
                "resource": kind,
                "operation": action,
                "asked_by": self.chance.sample(self.roles[kind], self.chance.randint(1, 2)),
                "review_action": "a",
                "pending_expires": "1 day",
                "approval_expires": "1 hour",
            }
            for kind, action in self._some(pairs, 0.35)
        ]
        return PolicyModel.model_validate(body)

    def _resource(self, kind: str) -> dict[str, Any]:
        roles = self.roles[kind]
        return {
            "actions": list(ACTIONS + BY_CONDITION),
            "attributes": {name: {"type": each} for name, each in ATTRIBUTES.items()},
            "relations": self.relations[kind],
            "roles": {role: self._role(kind, role, roles[place + 1 :]) for place, role in enumerate(roles)},
        }

    def _role(self, kind: str, role: str, further: list[str]) -> dict[str, Any]:
        permissions = [self.chance.choice([action, f"{kind}:{action}"]) for action in self._some(list(ACTIONS), 0.25)]
        body: dict[str, Any] = {"permissions": permissions, "extends": self._some(further, 0.25)}
        if self.chance.random() < 0.7:
            rules = [self._derivation(kind) for _ in range(self.chance.randint(1, 3))]
            body["granted_to"] = {"users_with_role": rules, **self._when(0.15)}
        return body

    def _derivation(self, kind: str) -> dict[str, Any]:
        relation, subject = self.chance.choice(sorted(self.relations[kind].items()))
        role = self.chance.choice(self.roles[subject])
        return {"role": role, "on_resource": subject, "linked_by_relation": relation, **self._when(0.2)}

    def _when(self, likely: float) -> dict[str, Any]:
        return {"when": {"no_direct_roles_on_object": True}} if self.chance.random() < likely else {}

    def _set_rule(self, kind: str, action: str) -> dict[str, Any]:
        chance = self.chance
        is_role = chance.random() < 0.5
        is_resource = chance.random() < (0.1 if is_role else 0.7)
        on_object = [f"{kind}#{role}" for role in self.roles[kind]]
        return {
            "user_set": chance.choice([*self.tenant_roles, *on_object]) if is_role else f"u{chance.randrange(4)}",
            "permission": f"{kind}:{action}",
            "resource_set": kind if is_resource else f"{kind}s{chance.randrange(2)}",
            "is_role": is_role,
            "is_resource": is_resource,
            **({"when": self._condition(self.document, kind)} if chance.random() < 0.25 else {}),
        }

    def _some(self, values: list[Any], likely: float) -> list[Any]:
        return [value for value in values if self.chance.random() < likely]

    # Conditions: drawn freely, and drawn again when the language refuses them.

    def _condition(self, document: PolicyDocument, resource: str | None) -> dict[str, Any]:
        declared = declared_attributes(document, resource)
        while True:
            drawn = self._logic(lambda: self._entry(resource), 3)
            try:
                parse_condition(drawn, (), declared)
            except ConditionFault:
                continue
            return drawn

    def _logic(self, leaf: Any, deep: int) -> dict[str, Any]:
        kind = self.chance.choice(["leaf", "leaf", "leaf", "all", "any", "not", "both"] if deep else ["leaf"])
        match kind:
            case "leaf":
                return leaf()  # type: ignore[no-any-return]
            case "both":
                return {**leaf(), **leaf()}
            case "not":
                return {"not": self._logic(leaf, deep - 1)}
        word = self.chance.choice({"all": ["allOf", "and"], "any": ["anyOf", "or"]}[kind])
        return {word: [self._logic(leaf, deep - 1) for _ in range(self.chance.randint(1, 3))]}

    def _entry(
        self, resource: str | None, roots: tuple[str, ...] = ("user", "resource", "environment", "call")
    ) -> dict[str, Any]:
        root = self.chance.choice([each for each in roots if resource or each not in {"resource", "call"}])
        return self._about(f"{root}.", resource, 2)

    def _about(self, prefix: str, resource: str | None, deep: int) -> dict[str, Any]:
        name = self.chance.choice([*ATTRIBUTES, "key"])
        kind = ATTRIBUTES.get(name, "string")
        if kind in {"object", "json"} and self.chance.random() < 0.4:
            name, kind = f"{name}.{self.chance.choice(['x', 'x.y'])}", "json"
        if deep and self.chance.random() < 0.35:
            matches = {
                "object": ["object_match"],
                "json": ["object_match", "any_match", "all_match"],
                "string": ["object_match"],
            }
            which = self.chance.choice(matches.get(kind, ["any_match", "all_match"]))
            foreign = self.chance.choice([*self.types, None])
            inner = self._logic(lambda: self._about("", None, deep - 1), 1)
            return {prefix + name: {which: {"match": inner, **({"fk_resource_type": foreign} if foreign else {})}}}
        return {prefix + name: self._logic(lambda: self._test(kind), 1)}

    def _test(self, kind: str) -> dict[str, Any]:
        operator = self.chance.choice([name for name, each in OPERATORS.items() if kind in each.types])
        if self.chance.random() < 0.15:
            other = self.chance.choice(
                ["user.key", "user.roles", *(f"environment.{name}" for name in ATTRIBUTES), "call.day"]
            )
            return {operator: {"ref": other}}
        operand = OPERATORS[operator].operand
        if operand in {"list", "pair"}:
            return {operator: self.chance.sample(self.values.pool(kind), 2)}
        return {operator: self.chance.choice(self.values.scalars) if operand == "scalar" else self.values.of(kind)}


def _facts(chance: random.Random, values: Values, model: PolicyModel) -> Facts:
    refs = [ResourceRef(kind, f"k{n}") for kind in model.resources for n in range(chance.choice([3, 3, 4, 20]))]
    instances = [ResourceInstance(ref, chance.choice(("north",) * 3 + TENANTS), values.attributes(0.7)) for ref in refs]
    tuples = []
    for ref in refs:
        for relation, subject in model.resources[ref.type].relations.items():
            near = [other for other in refs if other.type == subject or chance.random() < 0.03]
            # Often the next one, so that there are chains longer than any derivation may be.
            following = [other for other in near if other.key == f"k{int((ref.key or 'k0')[1:]) + 1}"]
            linked = following or chance.sample(near, k=min(len(near), chance.randint(0, 2)))
            tuples += [
                RelationshipTuple(other, relation, ref, chance.choice(("north",) * 9 + TENANTS)) for other in linked
            ]
    given = [
        RoleAssignment(user, role, _tenant(chance)) for user in USERS for role in model.roles if chance.random() < 0.3
    ]
    for user in USERS:
        for ref in chance.sample(refs, min(len(refs), 5)):
            role = chance.choice(
                ["stranger", *model.resources[ref.type].roles]
                if chance.random() < 0.2
                else list(model.resources[ref.type].roles)
            )
            given.append(RoleAssignment(user, role, _tenant(chance), ref))
    users = [
        User(key, key.title(), chance.choice(["", "Doe"]), chance.choice(["", "a@b.c"]), values.attributes(0.7))
        for key in USERS
    ]
    return Facts.of(users, TENANTS, instances, given, tuples)


def _tenant(chance: random.Random) -> str:
    return chance.choice(("north",) * 6 + TENANTS)


def _checks(chance: random.Random, values: Values, model: PolicyModel, facts: Facts, number: int) -> list[Check]:
    drawn = [_check(chance, values, model, facts) for _ in range(number * 8)]
    allowed = [check for check in drawn if decide(model, facts, check).effect is Effect.ALLOW][: number // 2]
    chosen = allowed + [check for check in drawn if not any(check is each for each in allowed)]
    chosen = chosen[:number]
    chance.shuffle(chosen)
    return chosen


def _check(chance: random.Random, values: Values, model: PolicyModel, facts: Facts) -> Check:
    refs = [*facts.instances]
    refs += [ResourceRef(kind, key) for kind in model.resources for key in (None, "nowhere")]
    ref = ResourceRef("nothing", "k0") if chance.random() < 0.02 else chance.choice(refs)
    return Check(
        Actor(
            "default",
            "nowhere" if chance.random() < 0.02 else _tenant(chance),
            "nobody" if chance.random() < 0.02 else chance.choice(USERS),
        ),
        "fly" if chance.random() < 0.02 else chance.choice(ACTIONS * 2 + BY_CONDITION),
        ref,
        call=values.attributes(0.6),
        user_attributes=values.attributes(0.1),
        resource_attributes=values.attributes(0.1),
        context=values.attributes(0.5),
    )
