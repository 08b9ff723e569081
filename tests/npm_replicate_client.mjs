// The official npm client, unchanged, against the sandbox. Prints what it saw as one line of JSON.
// Arguments: the node_modules folder, the sandbox's origin, the key.
import { createRequire } from "node:module";
import { join } from "node:path";

const [modules, origin, auth] = process.argv.slice(2);
const Replicate = createRequire(join(modules, "any.js"))("replicate");
const client = new Replicate({ auth, baseUrl: `${origin}/v1` });
const model = "black-forest-labs/flux-schnell";
const input = { prompt: "a lighthouse at dawn", megapixels: "0.25", output_format: "png" };
const upscaler = "nightmareai/real-esrgan:f121d640bd286e1fdc67f9799164c1d5be36ff74576ee11c803ae5b665dd46aa";

const outputs = await client.run(model, { input: { ...input, num_outputs: 2 } });
const blobs = await Promise.all(outputs.map((output) => output.blob()));
const heads = await Promise.all(blobs.map(async (blob) => Buffer.from(await blob.arrayBuffer()).toString("hex", 0, 4)));

const seen = [];
const created = await client.predictions.create({ model, input });
const done = await client.wait(created, { interval: 50 });
seen.push(/4\/4/.test(done.logs));

const slow = await client.predictions.create({ model, input: { prompt: "sandbox:slow=600 a" } });
const canceled = await client.predictions.cancel(slow.id);
const listed = await client.predictions.list();

const photo = new Blob([await redPng()], { type: "image/png" });
const enlarged = await client.run(upscaler, { input: { image: photo, scale: 2 } });
const size = Buffer.from(await (await enlarged.blob()).arrayBuffer());
const files = await client.files.list();

let failed = false;
try {
  await client.run(model, { input: { prompt: "sandbox:nsfw a" } });
} catch (error) {
  failed = /E005/.test(error.message);
}
let refused = 0;
try {
  await client.run(model, { input: { promt: "a" } });
} catch (error) {
  refused = error.response.status;
}
const described = await client.models.get("black-forest-labs", "flux-schnell");
const account = await client.accounts.current();

console.log(
  JSON.stringify({
    run: heads,
    mime: blobs[0].type,
    progress: seen,
    statuses: [created.status, done.status, canceled.status],
    listed: listed.results.length,
    files: files.results.length,
    enlarged: `${size.readUInt32BE(16)}x${size.readUInt32BE(20)}`,
    failed,
    refused,
    model: `${described.owner}/${described.name}`,
    account: account.username,
  }),
);

// A red PNG of 90 x 60 pixels, built by hand so that no image library is needed.
async function redPng() {
  const { crc32, deflateSync } = await import("node:zlib");
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const head = Buffer.alloc(4);
    head.writeUInt32BE(data.length);
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE((crc32 ?? slowCrc32)(body) >>> 0);
    return Buffer.concat([head, body, sum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(90, 0);
  header.writeUInt32BE(60, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const row = Buffer.concat([Buffer.from([0]), Buffer.alloc(270, Buffer.from([200, 60, 40]))]);
  const pixels = Buffer.concat(Array(60).fill(row));
  const signature = Buffer.from("89504e470d0a1a0a", "hex");
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", deflateSync(pixels)), chunk("IEND", Buffer.alloc(0))]);
}

// node:zlib has crc32 only from version 20.15 on.
function slowCrc32(bytes) {
  let sum = -1;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (0xedb88320 & -(sum & 1));
  }
  return sum ^ -1;
}
