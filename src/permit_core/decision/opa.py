"""The decision point that asks an OPA server, over the facts in our own database."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from permit_core.access import Check, Decision, Effect, ReasonCode
from permit_core.database import Transaction
from permit_core.decision.opa_answers import Answer, decision_of, read_answer
from permit_core.decision.opa_client import OpaClient, OpaFault
from permit_core.decision.opa_documents import ModelDocument, facts_document, model_document, question, slot_of
from permit_core.errors import ConfigurationError
from permit_core.policy import engine
from permit_core.policy.facts import Facts
from permit_core.policy.model import PolicyModel
from permit_core.ports.policy_source import PolicySource
from permit_core.stores.current_facts import CurrentFacts
from permit_core.stores.facts import FactsVersion

MOST_QUESTIONS = 5
"""How often one question is asked while OPA lacks what it is about. Others may push another state in between."""

logger = logging.getLogger(__name__)


class Feed(Protocol):
    """Whatever takes documents to OPA."""

    async def put(self, path: str, body: bytes, stamp: str) -> None:
        """Have a document put at a path below ``data``; ends when it is there.

        Raises:
            OpaFault: it will not be.
        """
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


class OpaPdp:
    """Decides by the rules of ``policies/opa`` in an OPA server.

    Every question names the model and the state of the facts it is about, as our database (or the transaction handed in)
    has it at that moment. OPA answers on exactly these or says that it lacks them; then they are pushed, by one task at a
    time, and it is asked again. So a fact that another process changed is seen by the next decision.

    OPA alone decides. What a refused person is told and can ask for comes from our own engine on the same facts.

    Args:
        policies: the policy of each environment.
        facts: the facts as they are now.
        client: the OPA server.
        feed: takes the documents to OPA; the client itself when None.
        timeout_seconds: longest wait for a decision, facts and pushing included; after it the answer is deny.
    """

    def __init__(
        self,
        policies: PolicySource,
        facts: CurrentFacts,
        client: OpaClient,
        timeout_seconds: float,
        *,
        feed: Feed | None = None,
    ) -> None:
        self._policies = policies
        self._documents: dict[str, tuple[PolicyModel, ModelDocument]] = {}
        self._facts = facts
        self._client = client
        self._feed: Feed = feed or client
        self._timeout_seconds = timeout_seconds
        self._pushing = asyncio.Lock()
        self._pushes = 0

    async def decide(self, check: Check, transaction: Transaction | None = None) -> Decision:
        """Decide one check; see :class:`permit_core.ports.pdp.Pdp`."""
        return (await self.decide_many([check], transaction))[0]

    async def decide_many(self, checks: list[Check], transaction: Transaction | None = None) -> list[Decision]:
        """Decide several checks in their order: one question for each environment, about one state of its facts."""
        if not checks:
            return []
        environments = dict.fromkeys(check.actor.environment for check in checks)
        if len(environments) > 1:
            answers = {
                environment: iter(
                    await self.decide_many(
                        [check for check in checks if check.actor.environment == environment], transaction
                    )
                )
                for environment in environments
            }
            return [next(answers[check.actor.environment]) for check in checks]
        try:
            async with asyncio.timeout(self._timeout_seconds):
                environment = checks[0].actor.environment
                model = self._policies.current(environment).model
                version, facts = await self._facts.state(environment, transaction)
                answer = await self._answer(self._document(environment, model), version, facts, checks)
            return [
                _explained(model, facts, check, decision_of(check, answered))
                for check, answered in zip(checks, answer.decisions, strict=True)
            ]
        except (OpaFault, TimeoutError) as fault:
            why = str(fault) or self._too_slow()
            logger.error("%s: %d checks are denied", why, len(checks))  # noqa: TRY400 - the sentence says it all
        except Exception:  # whatever keeps us from asking, the answer is no
            why = "the question could not be put to OPA"
            logger.exception("%s: %d checks are denied", why, len(checks))
        return [Decision(Effect.DENY, ReasonCode.PDP_ERROR, chain=(why,))] * len(checks)

    async def check_ready(self) -> None:
        """Make sure that OPA answers, and has our rules.

        Raises:
            ConfigurationError: it does not; names the setting to look at.
        """
        try:
            async with asyncio.timeout(self._timeout_seconds):
                read_answer(await self._client.ask(question("", FactsVersion(0, ""), [])), [])
        except (OpaFault, TimeoutError) as error:
            why = str(error) or self._too_slow()
            raise ConfigurationError(
                f"OPA_URL: {why}, asked at {self._client.url}. Start one with `opa run --server policies/opa`, or set "
                "PDP=embedded"
            ) from None

    async def close(self) -> None:
        """Close the connections to OPA, and to what feeds it."""
        await self._feed.close()
        await self._client.close()

    def _too_slow(self) -> str:
        return f"OPA did not answer within {self._timeout_seconds:g} seconds (OPA_TIMEOUT_SECONDS)"

    def _document(self, environment: str, model: PolicyModel) -> ModelDocument:
        """What OPA is given of a policy, made once.

        Raises:
            ConfigurationError: the policy has a condition that is nested deeper than the rules for OPA go.
        """
        kept = self._documents.get(environment)
        if kept is None or kept[0] is not model:
            kept = self._documents[environment] = (model, model_document(model))
        return kept[1]

    async def _answer(
        self, document: ModelDocument, version: FactsVersion, facts: Facts, checks: list[Check]
    ) -> Answer:
        asked = question(document.digest, version, checks)
        for _ in range(MOST_QUESTIONS):
            pushes = self._pushes
            answer = read_answer(await self._client.ask(asked), checks)
            if not answer.missing:
                return answer
            async with self._pushing:
                if self._pushes == pushes:  # else what was pushed meanwhile may be just this
                    await self._push(answer, document, version, facts)
                    self._pushes += 1
        raise OpaFault("OPA does not keep the facts it is given")

    async def _push(self, answer: Answer, document: ModelDocument, version: FactsVersion, facts: Facts) -> None:
        if "model" in answer.missing:
            await self._feed.put(document.path, document.body, document.digest)
        if "facts" in answer.missing:
            body = await asyncio.to_thread(facts_document, facts, version)
            await self._feed.put(f"facts/{slot_of(version)}", body, version.stamp)


def _explained(model: PolicyModel, facts: Facts, check: Check, decision: Decision) -> Decision:
    """A denial with what was looked for and what can be asked for, by our own engine on the same facts."""
    if decision.effect is not Effect.DENY:
        return decision
    ours = engine.decide(model, facts, check)
    if (ours.effect, ours.reason_code) == (decision.effect, decision.reason_code):
        return ours
    logger.error("OPA denies (%s) what our engine answers with %s", decision.reason_code, ours.reason_code)
    return decision
