import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { ERRNO } from "../errno.ts";
import { IpcError, LimitError, NotFoundError } from "../errors.ts";
import { has, runChild, scaled } from "../testdata/child.ts";
import { libc } from "./_libc.ts";
import { check, errno, failure, setErrno } from "./errno.ts";

/** Fails `Deno.args[0]` times in several ways, each through the funnel and read directly; prints what was wrong. */
const FAILING = `
import { libc } from "@core/sys/_libc.ts";
import { abi, check, cString, errno, Mapping } from "@core/sys/mod.ts";
const ends = new Int32Array(2);
check(libc.pipe2(ends, abi.O_CLOEXEC | abi.O_NONBLOCK), "pipe2", "create pipe");
const missing = cString("/no/such/file"), nothing = cString(""), here = cString("/"), inside = cString("/dev/null/x");
const buffer = new Uint8Array(8);
const bad = [-1, "EBADF"];
const ways = [
  ["EBADF", () => check(libc.close(-1), "close", "close")],
  ["EBADF", () => check(libc.read(-1, buffer, 8n), "read", "read", "nothing")],
  ["EAGAIN", () => check(libc.read(ends[0], buffer, 8n), "read", "read")],
  ["EBADF", () => check(libc.write(ends[0], buffer, 8n), "write", "write")],
  ["ENOENT", () => check(libc.open(missing, 0, 0), "open", "open", "/no/such/file")],
  ["ENOENT", () => check(libc.open(nothing, 0, 0), "open", "open")],
  ["EISDIR", () => check(libc.open(here, abi.O_WRONLY, 0), "open", "open")],
  ["ENOTDIR", () => check(libc.open(inside, 0, 0), "open", "open")],
  ["EINVAL", () => check(libc.pipe2(ends, -1), "pipe2", "create pipe")],
  ["ENOTTY", () => check(libc.ioctl(0, abi.FIONREAD + 0x100, buffer), "ioctl", "ask", 0)],
  ["ESRCH", () => check(libc.kill(0x7ffffffe, 0), "kill", "look for process", 0x7ffffffe)],
  ["ENOMEM", () => Mapping.anonymous(2 ** 50)],
];
const wrong = new Map();
let junk = [];
const count = Number(Deno.args[0]);
for (let i = 0; i < count; i++) {
  const [expected, call] = ways[i % ways.length];
  if (i % 100 === 0) junk = [];
  junk.push({ i, text: "x" + i, list: new Array(20).fill(i) });
  let code = "none";
  try { call(); } catch (error) { code = error.code; }
  if (code !== expected) wrong.set(expected + " as " + code, (wrong.get(expected + " as " + code) ?? 0) + 1);
  if (libc.close(-1) === -1 && errno() !== 9) wrong.set("direct", (wrong.get("direct") ?? 0) + 1);
}
console.log(JSON.stringify([...wrong]));
`;
const STRESS = "--v8-flags=--gc-interval=200,--stress-compaction";

Deno.test("CORE-005 errno is the true one under stress of the collector", async () => {
  const args = [String(scaled(1_000_000) >> 1)];
  const { code, stdout, stderr } = await runChild(FAILING, { flags: ["-A", STRESS], args });
  assertEquals([code, stderr, stdout], [0, "", "[]\n"]);
});

Deno.test({
  name: "CORE-005 errno is the true one under stress of the collector, traced",
  ignore: !has("strace"),
  fn: async () => {
    const { code, stdout, stderr } = await runChild(FAILING, {
      flags: ["-A", STRESS],
      args: [String(scaled(10_000))],
      before: ["strace", "-f", "-o", "/dev/null"],
    });
    assertEquals([code, stderr, stdout], [0, "", "[]\n"]);
  },
});

Deno.test("errno is read where the call failed, and kept by calls that succeed", () => {
  assertEquals(libc.close(-1), -1);
  assertEquals(errno(), ERRNO.EBADF);
  libc.getpid();
  assertEquals(errno(), ERRNO.EBADF);
  setErrno(ERRNO.EXDEV);
  assertEquals(errno(), ERRNO.EXDEV);
});

Deno.test("errno belongs to the thread: a Worker has its own", async () => {
  const { code, stdout, stderr } = await runChild(`
    import { errno, setErrno } from "@core/sys/mod.ts";
    import { libc } from "@core/sys/_libc.ts";
    if (globalThis.document === undefined && self.name === "worker") {
      libc.close(-1);
      postMessage(errno());
    } else {
      setErrno(5);
      const worker = new Worker(import.meta.url, { type: "module", name: "worker" });
      const theirs = await new Promise((resolve) => worker.onmessage = (event) => resolve(event.data));
      worker.terminate();
      setErrno(5);
      console.log(theirs, errno());
    }
  `);
  assertEquals([code, stderr, stdout], [0, "", "9 5\n"]);
});

Deno.test("check returns what is not -1, and throws what errno says otherwise", () => {
  for (const result of [0, 1, -2, 2 ** 31 - 1]) assertEquals(check(result, "read", "read"), result);
  const error = assertThrows(() => check(libc.close(-1), "close", "close descriptor", -1), IpcError);
  assert(error.message.startsWith("Cannot close descriptor -1: "), error.message);
  assertEquals([error.code, error.errno, error.syscall, error.target], ["EBADF", 9, "close", "-1"]);
});

Deno.test("failure names what the call was about", () => {
  const error = failure(ERRNO.ENOENT, "open", "open FIFO", "/run/in");
  assertInstanceOf(error, NotFoundError);
  assert(error.message.startsWith('Cannot open FIFO "/run/in": '), error.message);
  assertInstanceOf(failure(ERRNO.EMFILE, "pipe2", "create pipe"), LimitError);
  assert(failure(ERRNO.EMFILE, "pipe2", "create pipe").message.startsWith("Cannot create pipe: "));
});
