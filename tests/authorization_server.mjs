// A real authorization server for tests: oidc-provider with registration, PKCE, resource indicators and JWT access tokens.
// Arguments: the node_modules folder, the resource. Its first line is its address. GET /test/rotate brings a new signing
// key before the old ones.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, resource] = process.argv.slice(2);
const { resolve } = createRequire(join(modules, "any.js"));
const { Provider, default: only } = await import(pathToFileURL(resolve("oidc-provider")));
const DESCRIBED_CLIENT = "https://client.example/cimd.json";
const REDIRECT = "http://127.0.0.1:3030/callback";

const signing = (kid) => {
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { ...pair.privateKey.export({ format: "jwk" }), kid, use: "sig", alg: "ES256" };
};
// What registered clients get their identity tokens signed with, unless they ask for another algorithm.
const usual = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });
const described = {
  client_id: DESCRIBED_CLIENT,
  client_name: "a client that describes itself",
  redirect_uris: [REDIRECT],
  grant_types: ["authorization_code", "refresh_token"],
  response_types: ["code"],
  token_endpoint_auth_method: "none",
  application_type: "native",
};
const page = {
  client_id: "page",
  redirect_uris: [`${new URL(resource).origin}/callback`],
  grant_types: ["authorization_code"],
  response_types: ["code"],
  token_endpoint_auth_method: "none",
};

let keys = [signing("k1"), { ...usual, kid: "r1", use: "sig", alg: "RS256" }];

const configuration = () => ({
  jwks: { keys },
  cookies: { keys: ["a key for the cookies of a test only"] },
  clients: [page],
  pkce: { required: () => true },
  scopes: ["openid", "offline_access", "images"],
  clientBasedCORS: () => true,
  fetch: async (url, options) =>
    String(url) === DESCRIBED_CLIENT
      ? new Response(JSON.stringify(described), { headers: { "content-type": "application/json" } })
      : fetch(url, options),
  features: {
    devInteractions: { enabled: true },
    registration: { enabled: true },
    revocation: { enabled: true },
    clientIdMetadataDocument: { enabled: true, ack: "draft-02" },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, wanted) => ({
        scope: "images",
        audience: wanted,
        accessTokenFormat: "jwt",
        accessTokenTTL: 300,
        jwt: { sign: { alg: "ES256" } },
      }),
    },
  },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  issueRefreshToken: (_, client) => client.grantTypeAllowed("refresh_token"),
});

let issuer;
let serve;
const renew = () => {
  const provider = new (Provider ?? only)(issuer, configuration());
  serve = provider.callback();
};
const server = createServer((request, response) => {
  if (request.url === "/test/rotate") {
    keys = [signing(`k${keys.length + 1}`), ...keys];
    renew();
    response.end("ok");
    return;
  }
  serve(request, response);
});
server.listen(0, "127.0.0.1", () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  renew();
  process.stdout.write(`${issuer}\n`);
});
