"""A few files behind guarded tools, and the people who call, confirm and review: for tests of calls that wait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from textwrap import dedent
from typing import Any

from permit_core.access import Check, Decision, ResourceRef
from permit_core.approvals.calls import Call
from permit_core.bootstrap import Core
from permit_core.canonical import definition_digest
from permit_core.database import Transaction
from permit_core.entries import RoleAssignment
from permit_core.identity import Actor
from permit_core.policy.judgement import Hold, Judgement, about_type, judge, scope_of
from permit_core.ports.approvals import Via
from permit_core.ports.request import Request, RequestKind
from tests.support.clock import SteadyClock
from tests.support.core import ENVIRONMENT, TENANT, make_core

CALL = RequestKind.CALL
IN_PERSON = Actor("default", TENANT, "ann", "Ann")
ANN = replace(IN_PERSON, agent="claude", session="s1")
BOB = Actor("default", TENANT, "bob", "Bob")
EVE = Actor("default", TENANT, "eve", "Eve")

POLICY = """\
version: 2
name: Files
resources:
  files:
    actions: [read, delete, send, review]
    attributes: {size: {type: number}}
    roles:
      reader: {permissions: [read]}
roles:
  worker: {permissions: [files:delete, files:send]}
  chief:
    permissions: [files:review]
    tools: [list_operation_approvals, approve_operation_approval, deny_operation_approval, get_request]
operation_approvals:
  - resource: files
    operation: delete
    asked_by: [reader]
    review_action: review
    pending_expires: 1 day
    approval_expires: 1 hour
tools:
  delete_file:
    action: delete
    resource: "files:{name}"
    arguments: {name: string, force: bool}
    never: {call.name: {equals: never.txt}}
    confirm:
      when: always
      by: reviewer
      review_action: review
      approval_expires: 30 minutes
      pinned: {size: less-than-equals}
      ask_again_after: 10 minutes
  shred_file:
    action: delete
    resource: "files:{name}"
    arguments: {name: string}
    confirm: {when: always}
  send_file:
    action: send
    resource: "files:{name}"
    arguments: {name: string}
    outward: true
    confirm: {when: always, by: self}
  show_file:
    action: send
    resource: "files:{name}"
    arguments: {name: string}
    confirm: {when: always, by: in_client}
...
"""

FACTS = """\
tenants: [{key: default, name: Default}]
users:
  - {key: ann, first_name: Ann}
  - {key: bob, first_name: Bob}
  - {key: eve, first_name: Eve}
resource_instances:
  - {resource: files, key: a, tenant: default, attributes: {size: 10}}
  - {resource: files, key: b, tenant: default, attributes: {size: 10}}
role_assignments:
  - {user: ann, role: worker, tenant: default}
  - {user: bob, role: chief, tenant: default}
  - {user: eve, role: reader, tenant: default, resource_instance: "files:a"}
"""


@dataclass
class Files:
    """A core over the policy above. Ann calls, through an agent; Bob reviews; Eve may read one file."""

    core: Core
    clock: SteadyClock
    labels: frozenset[str] = frozenset()
    definitions: dict[str, str] = field(default_factory=dict)
    ann: Actor = ANN
    in_person: Actor = IN_PERSON
    bob: Actor = BOB
    eve: Actor = EVE

    async def call(self, tool: str = "delete_file", **arguments: Any) -> Call:
        """The call as an adapter would make it: with defaults filled in and what is stored now."""
        if tool == "delete_file":
            arguments = {"name": "a", "force": False, **arguments}
        guard = self.core.model.guard("tools", tool)
        assert guard is not None
        named = guard.resource(arguments)
        stored = None if named.key is None else await self.core.directory.instance(ENVIRONMENT, TENANT, named)
        return Call(
            tool=tool,
            arguments=arguments,
            definition=definition_digest(tool, self.definitions.get(tool, ""), {}),
            resource=named if stored is not None else ResourceRef(named.type),
            acts_on=guard.acts_on(arguments),
            attributes={} if stored is None else stored.attributes,
        )

    async def judge(
        self, actor: Actor, call: Call, transaction: Transaction | None, approved: Mapping[Any, Any]
    ) -> Judgement:
        """Judge as an adapter does."""
        guard = self.core.model.guard("tools", call.tool)
        assert guard is not None
        check = guard.check(actor, call.arguments)
        decision: Decision = await self.core.pdp.decide(check, transaction)
        if decision.reason_code == "no_such_instance":
            check = about_type(check)
            decision = await self.core.pdp.decide(check, transaction)
        assert self.core.facts is not None
        facts = await self.core.facts.facts(actor.environment, transaction)
        return judge(
            self.core.model,
            guard,
            kind="tools",
            name=call.tool,
            check=check,
            decision=decision,
            scope=scope_of(facts, check, self.core.model),
            actor=actor,
            now=self.clock(),
            labels=self.labels,
            approved=approved,
        )

    async def held(self, call: Call, actor: Actor | None = None, reason: str = "") -> Request:
        """The question that the call waits for."""
        actor = actor or self.ann
        judgement = await self.judge(actor, call, None, {})
        assert isinstance(judgement, Hold), judgement
        return await self.core.approvals.hold(actor, call, judgement, reason)

    async def claim(self, call: Call, actor: Actor | None = None, request_id: str | None = None) -> tuple[Request, ...]:
        """Begin the call."""
        actor = actor or self.ann

        async def judge_again(transaction: Transaction, approved: Mapping[Any, Any]) -> Judgement:
            return await self.judge(actor, call, transaction, approved)

        return await self.core.approvals.claim(actor, call, judge_again, request_id=request_id)

    async def approve(self, request: Request, by: Actor | None = None, via: Via = Via.TOOL) -> Request:
        """Say yes."""
        return await self.core.approvals.approve(by or self.bob, CALL, request.id, via=via)

    async def approved(self, call: Call) -> Request:
        """A call that a reviewer said yes to."""
        return await self.approve(await self.held(call))

    async def stored(self, request: Request) -> Request:
        """The request as its asker sees it."""
        return await self.core.approvals.get(self.ann, None, request.id)

    async def size(self, key: str, size: int) -> None:
        """Change what is pinned."""
        ref = ResourceRef("files", key)
        stored = await self.core.directory.instance(ENVIRONMENT, TENANT, ref)
        assert stored is not None
        changed = replace(stored, attributes={**stored.attributes, "size": size})
        await self.core.directory.put_instance(self.core.system, changed)

    async def takes(self, user: str, role: str, on: ResourceRef | None) -> None:
        """Take a role away."""
        await self.core.directory.unassign(self.core.system, RoleAssignment(user, role, TENANT, on))

    async def may(self, actor: Actor, action: str, on: str) -> bool:
        """What the decision point says."""
        return (await self.core.pdp.decide(Check(actor, action, ResourceRef.parse(on)))).allowed


async def open_files(folder: Path, clock: SteadyClock, *, facts: bool = True, database_url: str = "") -> Files:
    """Open the files; closing the core is the caller's."""
    policy, fact_file = folder / "files.yaml", folder / "files.facts.yaml"
    policy.write_text(dedent(POLICY), encoding="utf-8")
    fact_file.write_text(dedent(FACTS), encoding="utf-8")
    core = await make_core(
        folder,
        clock=clock,
        facts=facts,
        database_url=database_url,
        policy_file=str(policy),
        facts_file=str(fact_file),
        state_dir=str(folder / "state"),
    )
    return Files(core, clock)
