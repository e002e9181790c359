"""``permit-mcp init``: a policy, facts, scenarios, a server that runs and a stand-in for an agent, to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from permit_mcp.operating import FAILED

FILES = {
    "policy.yaml": """\
# What there is, who may do what with it, and when a human is asked. `permit-mcp policy check policy.yaml` reads it,
# `permit-mcp policy test policy.yaml` plays the scenarios beside it.
version: 2
name: Files

# Who may answer at this machine's terminal: `permit-mcp requests watch`.
operators: [me]

resources:
  files:
    name: Files
    actions: [read, delete, review]

roles:
  agent:
    name: Agent
    permissions: ["files:read", "files:delete"]
    tools: [create_access_request, get_request, wait_for_request]
  owner:
    name: Owner
    permissions: ["files:read", "files:delete", "files:review"]

tools:
  list_files: open
  delete_file:
    action: delete
    resource: "files:{name}"
    confirm: {when: always, by: reviewer}
...
""",
    "facts.yaml": """\
# What a new database starts with; afterwards the database is the truth.
tenants:
  - {key: default, name: Here}
users:
  - {key: bot, first_name: Bot}
  - {key: me, first_name: Me}
role_assignments:
  - {user: bot, role: agent}
  - {user: me, role: owner}
""",
    "policy.scenarios.yaml": """\
# What the policy must answer.
policy: policy.yaml
facts: facts.yaml

calls:
  - {name: A list is open, user: bot, tool: list_files, arguments: {}, expect: allow}
  - {name: Deleting waits for a yes, user: bot, tool: delete_file, arguments: {name: report.txt}, expect: hold, by: reviewer}
  - {name: With a yes it runs, user: bot, tool: delete_file, arguments: {name: report.txt}, approved: {call: reviewer},
     expect: allow}
""",
    "server.py": """\
from pathlib import Path

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from permit_mcp import PermitServer

here = Path(__file__).parent
files = here / "files"
mcp = MCPServer("files")
PermitServer(mcp, acting_user="bot", policy=here / "policy.yaml", facts=here / "facts.yaml")


@mcp.tool()
def list_files() -> list[str]:
    \"\"\"List the files there are.\"\"\"
    return sorted(path.name for path in files.iterdir())


@mcp.tool()
def delete_file(name: str) -> str:
    \"\"\"Delete a file.\"\"\"
    path = files / name
    if path.parent != files:
        raise ToolError("There is no such file.")
    path.unlink(missing_ok=True)
    return f"deleted {name}"


if __name__ == "__main__":
    mcp.run()
""",
    "agent.py": """\
# Stands in for an agent: makes one call of server.py, and prints what it is told.
import asyncio
import sys

from mcp import Client, StdioServerParameters


async def main() -> None:
    async with Client(StdioServerParameters(command=sys.executable, args=["server.py"])) as agent:
        answer = await agent.call_tool("delete_file", {"name": "report.txt"})
        print(answer.content[0].text)


asyncio.run(main())
""",
    ".env": """\
# Read by the server and by every `permit-mcp` command in this folder.
POLICY_FILE=policy.yaml
FACTS_FILE=facts.yaml
""",
    "files/report.txt": "A file that an agent may delete once a human has said yes.\n",
}


def init(
    folder: Annotated[Path, typer.Argument(help="Where to; made when it is not there.")] = Path(),
) -> None:
    """Write a policy, facts, scenarios, a server and a stand-in for an agent. Nothing that is there is overwritten."""
    there = [name for name in FILES if (folder / name).exists()]
    if there:
        typer.echo(f"{folder}: {', '.join(there)} is there already; nothing was written", err=True)
        raise typer.Exit(FAILED)
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        typer.echo(f"wrote {path}")
    typer.echo(
        "Next: python agent.py, which is told to wait; permit-mcp requests watch, where you answer; and agent.py again."
    )
    typer.echo("Your own agent gets server.py as an MCP server over stdio.")
