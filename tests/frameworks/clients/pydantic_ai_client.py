"""Pydantic AI: a whole agent run over an MCP toolset; a function stands where the model would be."""

from typing import Any

from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    ModelResponse,
    RetryPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models.function import AgentInfo, FunctionModel
from script import COMMAND, ENVIRON, Job, Seen, connected, finished, jobs, run


def _seen(messages: list[ModelMessage]) -> Seen | None:
    """What the last request tells the model, beyond the first one."""
    if len(messages) < 2:
        return None
    texts: list[str] = []
    pictures, is_failed = 0, False
    for part in messages[-1].parts:
        if isinstance(part, RetryPromptPart):
            is_failed = True
            texts.append(part.model_response())
        elif isinstance(part, ToolReturnPart):
            content: Any = part.content if isinstance(part.content, list) else [part.content]
            pictures += sum(isinstance(each, BinaryContent) for each in content)
            texts += [str(each) for each in content if not isinstance(each, BinaryContent)]
        elif isinstance(part, UserPromptPart) and not isinstance(part.content, str):
            pictures += sum(isinstance(each, BinaryContent) for each in part.content)
    return Seen("\n".join(texts), pictures, is_failed=is_failed)


def _model(job: Job) -> FunctionModel:
    def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        call = job.next_call(_seen(messages))
        return ModelResponse(parts=[ToolCallPart(*call) if call else TextPart("done")])

    return FunctionModel(answer)


async def main() -> None:
    toolset = MCPToolset(StdioTransport(COMMAND[0], COMMAND[1:], env=ENVIRON), init_timeout=30)
    async with toolset:
        connected()
        for name, job in jobs().items():
            await Agent(_model(job), toolsets=[toolset]).run("go")
            finished(name, job)


run(main)
