/** call and serve, from one process to another. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { exists, folder, ipc, made, shell, start, until } from "../_testing.ts";

const MODULE = `
export const add = (a: number, b: number) => a + b;
export function total({ a, b }: { a: number; b: number }) {
  return a + b;
}
export async function* count(to: number) {
  for (let at = 1; at <= to; at++) yield { at };
}
export function fail() {
  throw new Error("not for everybody");
}
export function pid(this: { caller?: { pid: number } }) {
  return this.caller?.pid ?? null;
}
export const bytes = () => new Uint8Array([1, 2, 3]);
export function hang(this: { signal: AbortSignal }) {
  return new Promise((_, reject) => this.signal.addEventListener("abort", () => reject(new Error("stopped"))));
}
let heard = 0;
export const hear = () => void heard++;
export const told = () => heard;
export const VERSION = 3;
export class Account {}
export function noisy() {
  console.log("a line");
  return "quiet";
}
export default function notAMethod() {}
`;

interface Served {
  readonly address: string;
  readonly module: string;
  call(...args: string[]): ReturnType<typeof ipc>;
}

/** Serves the module at a unix socket while `test` runs. */
async function serving(test: (served: Served) => Promise<void>): Promise<void> {
  using dir = folder();
  const module = `${dir.path}/sums, 100% & #more?.ts`;
  Deno.writeTextFileSync(module, MODULE);
  const address = `unix:${dir.path}/sums.sock`;
  await using server = start(["serve", address, module]);
  await until(() => exists(`${dir.path}/sums.sock`));
  await test({ address, module, call: (...args) => ipc(["call", address, ...args]) });
  server.process.kill("SIGTERM");
  const { code, stdout } = await server.finished;
  assertEquals([code, stdout], [143, address + "\n"]);
  assertEquals(exists(`${dir.path}/sums.sock`), false, "the socket goes with its server");
}

Deno.test("call prints results, streams a value a line, and sends parameters by position or name", async () => {
  await serving(async ({ address, call }) => {
    for (
      const [args, stdout] of [
        [["add", "[1,2]"], "3\n"],
        [["total", '{"a":3,"b":4}'], "7\n"],
        [["count", "[3]"], '{"at":1}\n{"at":2}\n{"at":3}\n'],
        [["count", "[0]"], ""],
        [["bytes"], '"AQID"\n'],
        [["hear"], "null\n"],
        [["hear", "--notify"], ""],
        [["told", "[]"], "2\n"],
      ] as const
    ) {
      const finished = await call(...args);
      assertEquals([finished.code, finished.stdout, finished.stderr], [0, stdout, ""], args.join(" "));
    }
    const read = await ipc(["call", address, "add", "-"], "[20,\n22]\n");
    assertEquals([read.code, read.stdout], [0, "42\n"]);
    await using caller = start(["call", address, "pid"]);
    assertEquals((await caller.finished).stdout, `${caller.process.pid}\n`);
  });
});

Deno.test("call tells what the service answers, with status 1, and 124 when there is no answer in time", async () => {
  await serving(async ({ address, call }) => {
    const where = `ipc: call ${address}: `;
    for (
      const [args, code, stderr] of [
        [["fail"], 1, `${where}Internal error (-32603)\n`],
        [["toString"], 1, `${where}Method not found (-32601)\n`],
        [["notAMethod"], 1, `${where}Method not found (-32601)\n`],
        [["VERSION"], 1, `${where}Method not found (-32601)\n`],
        [["Account"], 1, `${where}Method not found (-32601)\n`],
        [["hang", "--timeout", "300ms"], 124, `${where}no answer within 300 ms\n`],
        [["add", "1"], 2, "ipc: call: PARAMS is a JSON array or object: '[1]'?\n"],
        [["add", "{"], 2, "ipc: call: PARAMS is no JSON; they are like '[1,\"two\"]' or '{\"a\":1}'\n"],
      ] as const
    ) {
      const finished = await call(...args);
      assertEquals([finished.code, finished.stdout, finished.stderr], [code, "", stderr], args.join(" "));
    }
  });
});

Deno.test("where nobody serves, call says so", async () => {
  using dir = folder();
  const none = await ipc(["call", `unix:${dir.path}/none`, "add"]);
  assertEquals(none.code, 1);
  assertMatch(none.stderr, /: no such socket \(ENOENT\)\n/);
  const web = await ipc(["call", "http://127.0.0.1:9/", "add"]);
  assertEquals(web.code, 1);
  assertStringIncludes(web.stderr, "ipc: call http://127.0.0.1:9/: ");
  assertEquals((await ipc(["call", "http://", "add"])).code, 2);
});

Deno.test("a service says what there is to call", async () => {
  await serving(async ({ call }) => {
    const { info, methods } = JSON.parse((await call("rpc.discover")).stdout);
    assertEquals(info.title, "sums, 100% & #more?.ts");
    assertEquals(methods.some(({ name }: { name: string }) => name === "total"), true);
  });
});

Deno.test("a notification is given up in time or by a signal, and told of where nobody takes it", async () => {
  // Whoever connects is not answered, not even by the end.
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const silent: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const connection of listener) silent.push(connection);
  })();
  try {
    for (const scheme of ["http", "ws"]) {
      const address = `${scheme}://127.0.0.1:${listener.addr.port}/`;
      const late = await ipc(["call", address, "reload", "--notify", "--timeout", "300ms"]);
      assertEquals(
        [late.code, late.stderr],
        [124, `ipc: call ${address}: no answer within 300 ms\n`],
        scheme,
      );
      const before = silent.length;
      await using stopped = start(["call", address, "reload", "--notify"]);
      await until(() => silent.length > before);
      stopped.process.kill("SIGINT");
      assertEquals((await stopped.finished).code, 130, scheme);
    }
  } finally {
    for (const connection of silent) connection.close();
  }
  const nobody = await ipc(["call", `ws://127.0.0.1:${freePort()}/`, "reload", "--notify"]);
  assertEquals([nobody.code, nobody.stdout], [1, ""]);
  assertStringIncludes(nobody.stderr, "ipc: call ws://127.0.0.1:");
  listener.close();
  await accepting;
});

Deno.test("serve says what is wrong with a module", async () => {
  using dir = folder();
  Deno.writeTextFileSync(`${dir.path}/empty.ts`, "export const VERSION = 1;");
  const empty = await ipc(["serve", `unix:${dir.path}/s`, `${dir.path}/empty.ts`]);
  assertEquals([empty.code, empty.stderr], [1, `ipc: serve: ${dir.path}/empty.ts exports no functions\n`]);
  const missing = await ipc(["serve", `unix:${dir.path}/s`, `${dir.path}/none.ts`]);
  assertEquals(missing.code, 1);
  assertStringIncludes(missing.stderr, `ipc: serve: cannot load ${dir.path}/none.ts: `);
  const named = await ipc(["serve", `unix:${dir.path}/s?allow-user=root`, `${dir.path}/empty.ts`]);
  assertEquals(named.code, 2);
  assertStringIncludes(named.stderr, "a user's number, or any");
});

/** A port that nobody has at the moment; addresses name one. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

const NETWORK = {
  "unix-seqpacket": "unix-seqpacket:$dir/packets",
  "tcp, one message a line": `tcp:127.0.0.1:${freePort()}?framing=lines`,
  WebSocket: "ws://127.0.0.1:0/calls",
  HTTP: "http://127.0.0.1:0/calls",
};

for (const [name, address] of Object.entries(NETWORK)) {
  Deno.test(`the same module, served and called over ${name}`, async () => {
    using dir = folder();
    Deno.writeTextFileSync(`${dir.path}/sums.ts`, MODULE);
    // A stream is an array over HTTP.
    const stream = name === "HTTP" ? '[{"at":1},{"at":2}]\n' : '{"at":1}\n{"at":2}\n';
    const { code, stdout, stderr } = await shell(
      `cd ${dir.path}; dir=${dir.path}
       ipc serve "${address}" sums.ts > address & server=$!
       while [ ! -s address ]; do sleep 0.05; done
       at=$(cat address)
       ipc call "$at" add '[1,2]' && ipc call "$at" total '{"a":3,"b":4}' && ipc call "$at" count '[2]'
       ipc call "$at" hear --notify && ipc call "$at" told
       kill $server; wait $server`,
    );
    assertEquals([stdout, code], [`3\n7\n${stream}1\n`, 143], stderr);
  });
}

Deno.test("over standard input and output, a program that starts it can call it", async () => {
  using dir = folder();
  Deno.writeTextFileSync(`${dir.path}/sums.ts`, MODULE);
  const requests = [
    '{"jsonrpc":"2.0","id":1,"method":"add","params":[1,2]}',
    '{"jsonrpc":"2.0","id":2,"method":"told"}',
    '{"jsonrpc":"2.0","id":3,"method":"noisy"}',
  ];
  const { code, stdout, stderr } = await ipc(
    ["serve", "stdio:", `${dir.path}/sums.ts`],
    requests.join("\n") + "\n",
  );
  assertEquals([code, stderr], [0, "a line\n"], "what a module logs is no part of the protocol");
  const answers = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(answers, [
    { jsonrpc: "2.0", id: 1, result: 3 },
    { jsonrpc: "2.0", id: 2, result: 0 },
    { jsonrpc: "2.0", id: 3, result: "quiet" },
  ]);
});

Deno.test("over a System V queue, whose types tell requests from answers", async () => {
  await using queue = await made("sysv-msg");
  using dir = folder();
  Deno.writeTextFileSync(`${dir.path}/sums.ts`, MODULE);
  await using server = start(["serve", `${queue.address}?send=2&receive=1`, `${dir.path}/sums.ts`]);
  const { code, stdout, stderr } = await ipc(["call", `${queue.address}?send=1&receive=2`, "add", "[1,2]"]);
  assertEquals([code, stdout, stderr], [0, "3\n", ""]);
  server.process.kill("SIGINT");
  assertEquals((await server.finished).code, 130);
});
