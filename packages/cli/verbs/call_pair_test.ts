/** call and serve over two objects that go one way each. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { make } from "@ipc/address";
import { exists, folder, ipc, made, start, until } from "../_testing.ts";

const MODULE = `
export const add = (a: number, b: number) => a + b;
export async function* count(to: number) {
  for (let at = 1; at <= to; at++) yield at;
}
export function hang(this: { signal: AbortSignal }) {
  return new Promise((_, reject) => this.signal.addEventListener("abort", () => reject(new Error("stopped"))));
}
export const die = () => Deno.exit(3);
`;

/** The same calls over any pair; callers come one after another. */
async function calls(pair: string): Promise<void> {
  for (
    const [args, code, stdout, stderr] of [
      [["add", "[1,2]"], 0, "3\n", ""],
      [["count", "[3]"], 0, "1\n2\n3\n", ""],
      [["hang", "--timeout", "300ms"], 124, "", `ipc: call ${pair}: no answer within 300 ms\n`],
      // What was answered to the one before is not taken for an answer to this one.
      [["add", "[20,22]"], 0, "42\n", ""],
    ] as const
  ) {
    const finished = await ipc(["call", pair, ...args]);
    assertEquals(
      [finished.code, finished.stdout, finished.stderr],
      [code, stdout, stderr],
      args.join(" "),
    );
  }
}

Deno.test("over two FIFOs, which serve creates and removes", async () => {
  using dir = folder();
  Deno.writeTextFileSync(`${dir.path}/sums.ts`, MODULE);
  const [ask, answer] = [`fifo:${dir.path}/ask, or not`, `fifo:${dir.path}/answer`];
  await using server = start(["serve", `${answer},${ask}`, `${dir.path}/sums.ts`]);
  await until(() => exists(`${dir.path}/ask, or not`));
  assertEquals(Deno.statSync(`${dir.path}/answer`).mode! & 0o777, 0o600);
  await calls(`${ask},${answer}`);
  server.process.kill("SIGTERM");
  const { code, stderr } = await server.finished;
  assertEquals([code, stderr], [143, ""]);
  assertEquals([exists(`${dir.path}/ask, or not`), exists(`${dir.path}/answer`)], [false, false]);
});

Deno.test("a service over two FIFOs that dies fails the call", async () => {
  using dir = folder();
  Deno.writeTextFileSync(`${dir.path}/sums.ts`, MODULE);
  const [ask, answer] = [`fifo:${dir.path}/ask`, `fifo:${dir.path}/answer`];
  for (const address of [ask, answer]) await make(address);
  await using server = start(["serve", `${answer},${ask}`, `${dir.path}/sums.ts`]);
  const { code, stderr } = await ipc(["call", `${ask},${answer}`, "die"]);
  assertEquals([code, (await server.finished).code], [1, 3]);
  assertStringIncludes(stderr, `ipc: call ${ask},${answer}: `);
  assertEquals(exists(`${dir.path}/ask`), true, "what was there stays");
});

Deno.test("over two POSIX queues that exist, in which answers wait that nobody took", async () => {
  await using ask = await made("mq");
  await using answer = await made("mq");
  using dir = folder();
  Deno.writeTextFileSync(`${dir.path}/sums.ts`, MODULE);
  await using server = start(["serve", `${answer.address},${ask.address}`, `${dir.path}/sums.ts`]);
  await calls(`${ask.address},${answer.address}`);
  server.process.kill("SIGINT");
  assertEquals((await server.finished).code, 130);
});

Deno.test("call and serve say what is wrong with a pair", async () => {
  using dir = folder();
  Deno.writeTextFileSync(`${dir.path}/sums.ts`, MODULE);
  const one = await ipc(["call", "fifo:/run/ask", "add"]);
  assertEquals([one.code, one.stderr], [
    2,
    'ipc: call: "fifo:" goes one way; give two, to write to and to read from: fifo:/run/ask,fifo:/path\n',
  ]);
  assertEquals((await ipc(["serve", "mq:/a", `${dir.path}/sums.ts`])).code, 2);
  assertEquals((await ipc(["call", "fifo:/a,fifo:/b,mq:/c", "add"])).code, 2);
  assertEquals((await ipc(["call", "fifo:/a?framing=none,fifo:/b", "add"])).code, 2);
  const none = await ipc(["call", `fifo:${dir.path}/ask,fifo:${dir.path}/answer`, "add"]);
  assertEquals(none.code, 1);
  assertMatch(
    none.stderr,
    /^ipc: call fifo:.*\/answer: no such FIFO \(ENOENT\)\n +create it with "ipc make fifo:/,
  );
});
