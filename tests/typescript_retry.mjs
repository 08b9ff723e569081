// The client of the TypeScript SDK: a call ends by its time-out, and the same call is made again. Prints both ends as JSON.
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

// The time-out begins anew with each progress message, and what comes after it is the maximum.
async function call(wait_seconds, timeout) {
  try {
    const result = await client.callTool({ name: "generate_image", arguments: { prompt, wait_seconds } }, undefined, { timeout });
    return result.content[0].text;
  } catch (error) {
    return String(error);
  }
}

const first = await call(40, 6000);
const second = await call(0, 60000);
await client.close();
console.log(JSON.stringify({ first, second }));
