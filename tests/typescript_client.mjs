// The client of the TypeScript SDK with its default time-outs, as most hosts use it. Prints what it saw as one line of JSON.
// Arguments: the node_modules folder, a prompt, then the address of an HTTP server or the command of a stdio server.
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, prompt, target, ...words] = process.argv.slice(2);
const { resolve } = createRequire(join(modules, "any.js"));
const load = (name) => import(pathToFileURL(resolve(`@modelcontextprotocol/sdk/client/${name}.js`)));
const [{ Client }, { StdioClientTransport }, { StreamableHTTPClientTransport }] = await Promise.all(
  ["index", "stdio", "streamableHttp"].map(load),
);

const transport = target.startsWith("http://")
  ? new StreamableHTTPClientTransport(new URL(target))
  : new StdioClientTransport({ command: target, args: words, env: process.env });
const client = new Client({ name: "test", version: "1" });
await client.connect(transport);

async function call(name, args) {
  const started = performance.now();
  const result = await client.callTool({ name, arguments: args });
  const text = result.content[0].text;
  return { name, seconds: (performance.now() - started) / 1000, text, is_error: result.isError ?? false };
}

const calls = [await call("generate_image", { prompt })];
// It follows the answers' own advice, as an assistant does.
let id;
for (let tries = 0; tries < 10; tries += 1) {
  const advice = /call get_prediction with id '(\w+)' and wait_seconds (\d+)/.exec(calls.at(-1).text);
  if (!advice) break;
  id = advice[1];
  calls.push(await call("get_prediction", { id, wait_seconds: Number(advice[2]) }));
}
const tools = (await client.listTools()).tools.map((tool) => tool.name);
await client.close();
console.log(JSON.stringify({ id, tools, calls }));
