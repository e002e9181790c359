"""The chat backend's composition root: everything a session needs, opened once a process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from mcp import StdioServerParameters

from family_food.chat.food_server import food_tools
from family_food.chat.notice_dispatch import Listener, NoticeDispatch
from family_food.chat.tool_listings import ToolListings
from family_food.conversations.asked_requests import AskedRequests
from family_food.conversations.conversation_store import ConversationStore
from family_food.login.accounts import PRODUCT, ChatAccounts
from family_food.login.login_limit import LoginLimit
from family_food.login.signing_key import signing_key
from family_food.models.choose import choose_model
from family_food.models.port import Model
from family_food.ordering.food import open_food
from family_food.seed import seed
from family_food.settings import ChatSettings
from permit_core.accounts.accounts import Accounts
from permit_core.accounts.tokens import Tokens
from permit_core.bootstrap import Core
from prefork.tool_start import ToolStart


@dataclass(frozen=True)
class ChatBackend:
    """What the sessions of one server share.

    Attributes:
        tool_start: how the tools of one user, named by directory key, are started.
        own_tools: they are those of our own food server.
    """

    settings: ChatSettings
    core: Core
    model: Model
    tokens: Tokens
    accounts: ChatAccounts
    login_limit: LoginLimit
    conversations: ConversationStore
    asked: AskedRequests
    notices: NoticeDispatch
    tool_start: Callable[[str], ToolStart]
    own_tools: bool = True
    listings: ToolListings = field(default_factory=ToolListings)

    async def ready(self) -> bool:
        """Whether the database can be written and notices are followed.

        Raises:
            StoreError: it cannot.
        """
        await self.core.database.check()
        return self.notices.running


@asynccontextmanager
async def open_backend(
    settings: ChatSettings,
    sessions_of: Callable[[str, str], Iterable[Listener]],
    *,
    model: Model | None = None,
    tool_server: Callable[[str], StdioServerParameters] | None = None,
) -> AsyncIterator[ChatBackend]:
    """Open database, model and notices; close them in the end.

    Args:
        settings: everything else follows from them.
        sessions_of: the open sessions of a user (by key) in a tenant.
        model: instead of the one the settings name.
        tool_server: instead of the food server.

    Raises:
        ConfigurationError: a setting, the policy or the signing key cannot be used.
        StoreError: the database does not answer.
    """
    key = signing_key(settings)
    async with AsyncExitStack() as stack:
        tool_start = await stack.enter_async_context(food_tools(settings, tool_server))
        food = await open_food(settings)
        stack.push_async_callback(food.close)
        core = food.core
        await seed(core, settings)
        await core.warm()
        chosen = model or choose_model(settings)
        stack.push_async_callback(chosen.close)
        notices = NoticeDispatch(core.notices, sessions_of)
        await notices.start()
        stack.push_async_callback(notices.stop)
        yield ChatBackend(
            settings=settings,
            core=core,
            model=chosen,
            tokens=Tokens(key, settings.access_token_expire_minutes * 60, PRODUCT),
            accounts=ChatAccounts(
                core.database,
                Accounts(core.database, core.audit, core.clock),
                core.directory,
                settings.environment,
                settings.tenant,
            ),
            login_limit=LoginLimit(settings.login_attempts_per_minute),
            conversations=ConversationStore(core.database, core.audit, core.labels),
            asked=AskedRequests(core.database),
            notices=notices,
            tool_start=tool_start,
            own_tools=tool_server is None,
        )
