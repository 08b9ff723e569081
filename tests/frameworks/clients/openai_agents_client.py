"""OpenAI's Agents SDK with its 5 s for a call: a whole run over the MCP server, a class for the model."""

import json
from typing import Any

from agents import Agent, Model, ModelResponse, RunConfig, Runner, Usage
from agents.mcp import MCPServerStdio
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText
from script import COMMAND, ENVIRON, Job, Seen, connected, finished, jobs, run


def _seen(items: Any) -> Seen | None:
    outputs = [] if isinstance(items, str) else [each for each in items if each.get("type") == "function_call_output"]
    if not outputs:
        return None
    output = outputs[-1]["output"]
    blocks = output if isinstance(output, list) else [{"type": "input_text", "text": output}]
    text = "\n".join(each["text"] for each in blocks if each["type"] == "input_text")
    pictures = sum(each["type"] == "input_image" for each in blocks)
    return Seen(text, pictures, is_failed=text.startswith("An error occurred"))


class ScriptedModel(Model):
    """Answers with the next call of the job."""

    def __init__(self, job: Job) -> None:
        self._job = job

    async def get_response(self, system_instructions: Any, input: Any, *_: Any, **__: Any) -> ModelResponse:
        call = self._job.next_call(_seen(input))
        if call:
            name, arguments = call
            item: Any = ResponseFunctionToolCall(
                arguments=json.dumps(arguments), call_id=f"call{self._job.calls}", name=name, type="function_call"
            )
        else:
            text = ResponseOutputText(annotations=[], text="done", type="output_text")
            item = ResponseOutputMessage(id="m", content=[text], role="assistant", status="completed", type="message")
        return ModelResponse(output=[item], usage=Usage(), response_id=None)

    def stream_response(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError("only whole answers are asked for")


async def main() -> None:
    params: Any = {"command": COMMAND[0], "args": COMMAND[1:], "env": ENVIRON}
    async with MCPServerStdio(params=params) as server:
        connected()
        for name, job in jobs().items():
            agent = Agent(name="a", model=ScriptedModel(job), mcp_servers=[server])
            await Runner.run(agent, "go", max_turns=20, run_config=RunConfig(tracing_disabled=True))
            finished(name, job)


run(main)
