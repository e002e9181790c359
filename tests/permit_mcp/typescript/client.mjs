// A client on the TypeScript SDK v1. Reads a plan from standard input, one JSON object:
// {transport: {command, args, env} | {url, token}, calls: [{name, arguments}]}. Lists the tools first, as every real client does,
// then makes the calls, and prints [{thrown} | {isError, text, meta, structured}, ...].
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const require = createRequire(process.env.NODE_MODULES_OF + "/");
const load = (name) => import(pathToFileURL(require.resolve("@modelcontextprotocol/sdk/" + name)).href);
const { Client } = await load("client/index.js");
const plan = JSON.parse(readFileSync(0, "utf8"));

async function transport(wanted) {
  if (wanted.url) {
    const { StreamableHTTPClientTransport } = await load("client/streamableHttp.js");
    const headers = wanted.token ? { Authorization: `Bearer ${wanted.token}` } : {};
    return new StreamableHTTPClientTransport(new URL(wanted.url), { requestInit: { headers } });
  }
  const { StdioClientTransport } = await load("client/stdio.js");
  return new StdioClientTransport({ ...wanted, stderr: "inherit" });
}

const client = new Client({ name: "typescript-v1", version: "1" });
await client.connect(await transport(plan.transport));
const { tools } = await client.listTools();
const answers = [];
for (const call of plan.calls ?? tools.map((tool) => ({ name: tool.name, arguments: {} }))) {
  try {
    const result = await client.callTool(call);
    answers.push({
      name: call.name,
      isError: result.isError ?? false,
      text: result.content.map((block) => block.text ?? "").join(""),
      meta: result._meta ?? null,
      structured: result.structuredContent ?? null,
    });
  } catch (error) {
    answers.push({ name: call.name, thrown: String(error) });
  }
}
await client.close();
process.stdout.write(JSON.stringify({ tools: tools.map((tool) => tool.name), answers }));
