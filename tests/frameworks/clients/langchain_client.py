"""LangChain's adapter: tools of a kept session, called as an agent's tool node does; the message goes to the model."""

from typing import Any

from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools
from script import COMMAND, ENVIRON, Seen, connected, fulfil, run


async def main() -> None:
    server = {"command": COMMAND[0], "args": COMMAND[1:], "env": ENVIRON, "transport": "stdio"}
    async with MultiServerMCPClient({"darkroom": server}).session("darkroom") as session:
        tools = {tool.name: tool for tool in await load_mcp_tools(session)}
        connected()

        async def call(tool: str, arguments: dict[str, Any]) -> Seen:
            message = await tools[tool].ainvoke({"type": "tool_call", "id": "1", "name": tool, "args": arguments})
            blocks = (
                message.content if isinstance(message.content, list) else [{"type": "text", "text": message.content}]
            )
            # A provider refuses an image that is no data: a link to a file of this computer.
            linked = [each for each in blocks if each["type"] == "image" and not each.get("base64")]
            if linked:
                return Seen(f"an image without data: {str(linked[0])[:200]}", is_failed=True)
            text = "\n".join(each["text"] for each in blocks if each["type"] == "text")
            return Seen(text, sum(each["type"] == "image" for each in blocks))

        await fulfil(call)


run(main)
