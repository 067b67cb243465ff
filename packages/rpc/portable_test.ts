/** That the main entry, and those for HTTP and WebSockets, run wherever JavaScript runs. */

import { assert, assertEquals } from "@std/assert";
import { has } from "../core/testdata/child.ts";

interface ModuleGraph {
  modules: {
    specifier: string;
    local?: string;
    dependencies?: { specifier: string; code?: { specifier: string } }[];
  }[];
}

const root = new URL("../../", import.meta.url);

async function deno(...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: root,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(text.decode(stderr));
  return text.decode(stdout);
}

for (const entry of ["mod.ts", "http.ts", "websocket.ts"]) {
  Deno.test(`${entry} imports this package and the main entry of core, and names no Deno, node or npm`, async () => {
    const graph: ModuleGraph = JSON.parse(await deno("info", "--json", `packages/rpc/${entry}`));
    const inside = new Set<string>();
    const queue = [new URL(`packages/rpc/${entry}`, root).href];
    while (queue.length > 0) {
      const specifier = queue.pop()!;
      if (inside.has(specifier)) continue;
      inside.add(specifier);
      const found = graph.modules.find((module) => module.specifier === specifier);
      for (const { code } of found?.dependencies ?? []) if (code !== undefined) queue.push(code.specifier);
    }
    assert(inside.size > 20);
    for (const specifier of inside) {
      assert(specifier.startsWith(root.href), specifier);
      const path = specifier.slice(root.href.length);
      assert(/^packages\/(rpc|core)\//.test(path) && !path.startsWith("packages/core/sys/"), path);
      const source = (await Deno.readTextFile(new URL(specifier))).replaceAll(
        /\/\*[^]*?\*\/|^\s*\/\/.*$/gm,
        "",
      );
      assert(!/\bDeno\.|\bprocess\.|\brequire\(|\bBuffer\b/.test(source), path);
    }
  });
}

/** Whether the bundler can be had: the runtime fetches it when it is first used. */
async function canBundle(): Promise<boolean> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/empty.ts`, "export {};\n");
    await deno("bundle", "--quiet", "-o", `${folder}/empty.js`, `${folder}/empty.ts`);
    return true;
  } catch {
    return false;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const bundler = await canBundle();

// What is bundled here is all that a browser, Node or Bun gets: no types, no imports.
const SCRIPT = `
import { client, serve } from "ENTRY";
const { port1, port2 } = new MessageChannel();
function channel(port) {
  const arrived = [], waiters = [];
  port.onmessage = ({ data }) => waiters.length > 0 ? waiters.shift()(data) : arrived.push(data);
  return {
    send: (message) => Promise.resolve(port.postMessage(message)),
    receive: () => arrived.length > 0 ? Promise.resolve(arrived.shift()) : new Promise((resolve) => waiters.push(resolve)),
    close: () => {
      port.close();
      for (const resolve of waiters) resolve(undefined);
    },
  };
}
const server = serve(channel(port1), {
  add: (a, b) => a + b,
  async *count(to) {
    for (let at = 1; at <= to; at++) yield at;
  },
  size: (data) => data.length,
  prototype: (value) => [Object.getPrototypeOf(value) === Object.prototype, ...Object.keys(value)],
  each: async (tell) => await tell(20) + 1,
}, { binary: true });
const api = client(channel(port2), { binary: true });
const seen = [await api.add(1, 2), await api.size(new Uint8Array(5)), await api.size(new Uint8Array(6))];
for await (const value of api.count(3)) seen.push(value);
// Here, unlike in Deno, an assignment to it sets the prototype.
const hostile = Object.defineProperty({}, "__proto__", { value: new Uint8Array(1), enumerable: true });
seen.push(...await api.prototype(hostile));
seen.push(await api.each((value) => value * 2));
console.log(JSON.stringify(seen));
api[Symbol.dispose]();
server.close();
`;

for (const runtime of ["node", "bun"]) {
  Deno.test({
    name: `a bundle of the main entry runs under ${runtime}`,
    ignore: !has(runtime) || !bundler,
    async fn() {
      const folder = await Deno.makeTempDir();
      try {
        await Deno.writeTextFile(
          `${folder}/main.ts`,
          SCRIPT.replace("ENTRY", new URL("mod.ts", import.meta.url).href),
        );
        await deno(
          "bundle",
          "--quiet",
          "--no-check",
          "--platform",
          "browser",
          "-o",
          `${folder}/main.mjs`,
          `${folder}/main.ts`,
        );
        const { stdout, stderr } = await new Deno.Command(runtime, {
          args: [`${folder}/main.mjs`],
          stdin: "null",
        }).output();
        const text = new TextDecoder();
        assertEquals([text.decode(stdout), text.decode(stderr)], ['[3,5,6,1,2,3,true,"__proto__",41]\n', ""]);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}
