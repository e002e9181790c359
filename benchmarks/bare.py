"""The same wires with nothing behind them: ``python -m benchmarks.bare web PORT``, and ``... tools`` over stdio.

What a turn costs on these is what the machine and the libraries take; the rest is ours.
"""

from __future__ import annotations

import sys

FRAMES = 6
"""So many the chat sends for a turn without a tool."""

_FRAME = '{"seq":null,"type":"text_delta","content":"Pizza Palace has a cheese pizza for 8.99.","turn":1}'


def web(port: int) -> None:
    """A WebSocket that answers every message with as many frames as a plain turn has."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route, WebSocketRoute
    from starlette.websockets import WebSocket, WebSocketDisconnect

    async def ready(_request: Request) -> Response:
        return Response()

    async def answer(socket: WebSocket) -> None:
        await socket.accept()
        try:
            while True:
                await socket.receive_text()
                for _ in range(FRAMES):
                    await socket.send_text(_FRAME)
        except WebSocketDisconnect:
            return

    app = Starlette(routes=[Route("/readyz", ready), WebSocketRoute("/ws", answer)])
    uvicorn.run(app, host="127.0.0.1", port=port, ws_per_message_deflate=False, log_level="warning")


def tools() -> None:
    """An MCP server with one tool that does nothing."""
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("bare")

    @server.tool()
    async def nothing() -> dict[str, list[str]]:
        """Answer."""
        return {"instances": ["Pizza Palace", "Burger Bonanza", "Fancy French", "Sushi World"]}

    server.run("stdio")


if __name__ == "__main__":
    if sys.argv[1] == "web":
        web(int(sys.argv[2]))
    else:
        tools()
