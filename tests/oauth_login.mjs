// Logs in to a team as a host with one of the TypeScript SDKs does, asks for the tools twice (the second time after the
// access token has died, with refresh), and prints what it saw as one line of JSON.
// Arguments: the node_modules folder, 1 or 2 for the SDK, the address of the server, who logs in.
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, major, address, person] = process.argv.slice(2);
const { resolve } = createRequire(join(modules, "any.js"));
const load = (name) => import(pathToFileURL(resolve(name)));
const sdk =
  major === "1"
    ? {
        ...(await load("@modelcontextprotocol/sdk/client/index.js")),
        ...(await load("@modelcontextprotocol/sdk/client/streamableHttp.js")),
        ...(await load("@modelcontextprotocol/sdk/client/auth.js")),
      }
    : await load("@modelcontextprotocol/client");
const REDIRECT = "http://127.0.0.1:3030/callback";

/** Plays the person's browser at the authorization server: name, consent, back to the host. */
async function logIn(url) {
  const cookies = new Map();
  const ask = async (to, options = {}) => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await fetch(to, { redirect: "manual", ...options, headers: { ...options.headers, cookie } });
    for (const each of answer.headers.getSetCookie()) {
      const [pair] = each.split(";");
      cookies.set(pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1));
    }
    return answer;
  };
  let at = String(url);
  let answer = await ask(at);
  for (let step = 0; step < 14; step += 1) {
    if (answer.status === 302 || answer.status === 303) {
      at = new URL(answer.headers.get("location"), at).href;
      if (at.startsWith(REDIRECT)) return new URL(at).searchParams;
      answer = await ask(at);
      continue;
    }
    const page = await answer.text();
    const prompt = /name="prompt" value="(\w+)"/.exec(page)[1];
    at = new URL(/action="([^"]+)"/.exec(page)[1], at).href;
    const form = { prompt, ...(prompt === "login" ? { login: person, password: "x" } : {}) };
    answer = await ask(at, { method: "POST", body: new URLSearchParams(form) });
  }
  throw new Error("the log-in has no end");
}

const kept = {};
let came;
const provider = {
  redirectUrl: REDIRECT,
  clientMetadata: {
    client_name: "a host of the tests",
    redirect_uris: [REDIRECT],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
  },
  clientInformation: () => kept.client,
  saveClientInformation: (client) => (kept.client = client),
  tokens: () => kept.tokens,
  saveTokens: (tokens) => (kept.tokens = tokens),
  codeVerifier: () => kept.verifier,
  saveCodeVerifier: (verifier) => (kept.verifier = verifier),
  redirectToAuthorization: async (url) => (came = await logIn(url)),
};

async function connected() {
  const client = new sdk.Client({ name: "test", version: "1" });
  await client.connect(new sdk.StreamableHTTPClientTransport(new URL(address), { authProvider: provider }));
  return client;
}

let first;
try {
  first = await connected();
} catch (error) {
  if (!came) throw error;
  const transport = new sdk.StreamableHTTPClientTransport(new URL(address), { authProvider: provider });
  await transport.finishAuth(came.get("code"), came.get("iss") ?? undefined);
  first = await connected();
}
const tools = (await first.listTools()).tools.map((tool) => tool.name);
const scope = kept.tokens.scope;
await first.close();
// A token of which the server will not hear any more: the host renews it by itself, without its person.
came = undefined;
const old = kept.tokens.access_token;
kept.tokens = { ...kept.tokens, access_token: `${old.slice(0, -6)}AAAAAA` };
const second = await connected();
const again = (await second.listTools()).tools.length;
await second.close();
console.log(JSON.stringify({ tools, again, scope, asked: came !== undefined, renewed: kept.tokens.access_token !== old }));
