// The client of the TypeScript SDK: a call ends by its time-out, and the same call is made again. Prints both ends as JSON.
import { client, prompt } from "./typescript_connect.mjs";

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
