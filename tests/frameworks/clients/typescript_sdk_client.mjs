// The client of the TypeScript SDK, with its 60 s for a request.
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { command, environ, fulfil, say } from "./script.mjs";

const { resolve } = createRequire(join(process.env.FRAMEWORK_MODULES, "any.js"));
const load = (name) => import(pathToFileURL(resolve(`@modelcontextprotocol/sdk/client/${name}.js`)));
const [{ Client }, { StdioClientTransport }] = await Promise.all(["index", "stdio"].map(load));

const client = new Client({ name: "check", version: "1" });
await client.connect(new StdioClientTransport({ command: command[0], args: command.slice(1), env: environ }));
say({ connected: true });

await fulfil(async (name, args) => {
  const { content } = await client.callTool({ name, arguments: args });
  const text = content.filter((block) => block.type === "text").map((block) => block.text);
  return { text: text.join("\n"), pictures: content.filter((block) => block.type === "image").length };
});
await client.close();
