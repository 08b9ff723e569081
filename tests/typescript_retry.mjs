// The client of the TypeScript SDK: a call ends by its time-out, and the same call is made again. Prints both ends as JSON.
// Where the machine is so busy that the gateway had no create by then, the call is made with more time.
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

async function isCreated() {
  const truth = await (await fetch(`${process.env.DARKROOM_BASE_URL}/truth`)).json();
  return truth.creates > 0;
}

let first, timeout = 500;
do {
  timeout *= 2;
  first = await call(40, timeout);
} while (!(await isCreated()));
const second = await call(0, 60000);
await client.close();
console.log(JSON.stringify({ first, second }));
