"""Policies, facts and decisions from a few lines of YAML."""

from __future__ import annotations

from textwrap import dedent

from permit_core.access import Check, Decision, ResourceRef
from permit_core.identity import Actor
from permit_core.policy.engine import decide
from permit_core.policy.facts import Facts
from permit_core.policy.facts_file import FactsFile, facts_with
from permit_core.policy.facts_schema import FactsDocument
from permit_core.policy.loader import read_shape
from permit_core.policy.marked_yaml import parse_marked
from permit_core.policy.model import PolicyModel


def policy_of(text: str) -> PolicyModel:
    """The policy in ``text``; version and name are added."""
    return read_shape(parse_marked("version: 1\nname: Test\n" + dedent(text), "policy.yaml"), PolicyModel)


def facts_of(text: str, model: PolicyModel | None = None) -> Facts:
    """The facts in ``text``; the tenant ``default`` and the user ``henry`` are added where there are none."""
    text = dedent(text)
    if "tenants:" not in text:
        text += "\ntenants: [{key: default, name: Default}]\n"
    if "users:" not in text:
        text += "\nusers: [{key: henry, first_name: Henry}]\n"
    document = parse_marked(text, "facts.yaml")
    return facts_with(FactsFile((), (), (), (), ()), document, read_shape(document, FactsDocument), (), model).facts()


def ask(
    model: PolicyModel, facts: Facts, action: str, resource: str, user: str = "henry", tenant: str = "default"
) -> Decision:
    """Decide one check."""
    return decide(model, facts, Check(Actor("default", tenant, user), action, ResourceRef.parse(resource)))
