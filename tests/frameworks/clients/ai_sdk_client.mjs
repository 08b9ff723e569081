// The AI SDK's MCP tools and what it makes of their results for a model. It waits 1 s for an answer to its first
// question, in which no Python server starts on a busy computer: so it must not ask.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { command, environ, fulfil, say } from "./script.mjs";

const load = (file) => import(pathToFileURL(join(process.env.FRAMEWORK_MODULES, "@ai-sdk/mcp/dist", file)));
const { createMCPClient } = await load("index.js");
const { Experimental_StdioMCPTransport: Transport } = await load("mcp-stdio/index.js");

const transport = new Transport({ command: command[0], args: command.slice(1), env: environ });
const client = await createMCPClient({ transport, protocolVersionDiscovery: false });
const tools = await client.tools();
say({ connected: true });

await fulfil(async (name, args) => {
  const output = await tools[name].execute(args, { toolCallId: "1", messages: [] });
  const { value } = tools[name].toModelOutput({ output });
  const text = value.filter((part) => part.type === "text").map((part) => part.text);
  return { text: text.join("\n"), pictures: value.filter((part) => part.type === "file").length };
});
await client.close();
