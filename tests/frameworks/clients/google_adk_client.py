"""Google's Agent Development Kit with its 5 s for a call: a whole run over its toolset, a class for the model."""

import json
from collections.abc import AsyncGenerator
from typing import Any

from google.adk.agents import LlmAgent
from google.adk.models import BaseLlm, LlmRequest, LlmResponse
from google.adk.runners import InMemoryRunner
from google.adk.tools.mcp_tool import McpToolset, StdioConnectionParams
from google.genai import types
from mcp import StdioServerParameters
from script import COMMAND, ENVIRON, Job, Seen, connected, finished, jobs, run


def _seen(request: LlmRequest) -> Seen | None:
    parts = [part for content in request.contents for part in content.parts or []]
    responses = [part.function_response for part in parts if part.function_response]
    if not responses:
        return None
    response = responses[-1].response or {}
    text = json.dumps(response, ensure_ascii=False)
    pictures = sum(bool(part.inline_data) for part in request.contents[-1].parts or [])
    return Seen(text, pictures, is_failed="error" in response)


class ScriptedModel(BaseLlm):
    """Answers with the next call of the job."""

    model: str = "scripted"
    job: Any

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        job: Job = self.job
        call = job.next_call(_seen(llm_request))
        part = types.Part.from_function_call(name=call[0], args=call[1]) if call else types.Part.from_text(text="done")
        yield LlmResponse(content=types.Content(role="model", parts=[part]))


async def main() -> None:
    server = StdioServerParameters(command=COMMAND[0], args=COMMAND[1:], env=ENVIRON)
    toolset = McpToolset(connection_params=StdioConnectionParams(server_params=server))
    await toolset.get_tools()
    connected()
    for name, job in jobs().items():
        agent = LlmAgent(name="painter", model=ScriptedModel(job=job), tools=[toolset])
        runner = InMemoryRunner(agent=agent, app_name="check")
        session = await runner.session_service.create_session(app_name="check", user_id="u")
        message = types.Content(role="user", parts=[types.Part.from_text(text="go")])
        async for _ in runner.run_async(user_id="u", session_id=session.id, new_message=message):
            pass
        finished(name, job)
    await toolset.close()


run(main)
