// The client of the TypeScript SDK with its default time-outs, as most hosts use it. Prints what it saw as one line of JSON.
import { client, prompt } from "./typescript_connect.mjs";

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
  const { text } = calls.at(-1);
  const advice = /get_prediction with id '(\w+)'(?: and wait_seconds (\d+))?/.exec(text);
  if (!advice || text.startsWith("Succeeded")) break;
  id = advice[1];
  calls.push(await call("get_prediction", { id, wait_seconds: Number(advice[2] ?? 2) }));
}
const tools = (await client.listTools()).tools.map((tool) => tool.name);
await client.close();
console.log(JSON.stringify({ id, tools, calls }));
