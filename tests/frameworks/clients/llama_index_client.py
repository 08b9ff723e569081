"""LlamaIndex's MCP tools with their 30 s; each call starts a server. The model sees the text of the tool output."""

from typing import Any

from llama_index.tools.mcp import BasicMCPClient, McpToolSpec
from script import COMMAND, ENVIRON, Seen, connected, fulfil, run


async def main() -> None:
    client = BasicMCPClient(COMMAND[0], args=COMMAND[1:], env=ENVIRON)
    tools = {tool.metadata.name: tool for tool in await McpToolSpec(client=client).to_tool_list_async()}
    connected()

    async def call(tool: str, arguments: dict[str, Any]) -> Seen:
        output = await tools[tool].acall(**arguments)
        pictures = sum(block.block_type == "image" for block in output.blocks)
        return Seen(output.content, pictures, is_failed=output.is_error)

    await fulfil(call)


run(main)
