// The client of the TypeScript SDK, connected. Arguments of the program: the node_modules folder, a prompt, then the
// address of an HTTP server or the command of a stdio server.
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

export { client, prompt };
