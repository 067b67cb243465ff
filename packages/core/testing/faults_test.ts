import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { ERRNO } from "../errno.ts";
import { IpcError, LimitError } from "../errors.ts";
import { libc } from "../sys/_libc.ts";
import { abi } from "../sys/abi.ts";
import { check, errno, failure } from "../sys/errno.ts";
import { OwnedFd, stat } from "../sys/fd.ts";
import { bind, type Bound } from "../sys/libc.ts";
import { runChild } from "../testdata/child.ts";
import { everyFault, withFault } from "./faults.ts";
import { leakCheck } from "./leak_check.ts";

leakCheck();

const symbols = {
  posix_fallocate: { parameters: ["i32", "i64", "i64"], result: "i32" },
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
  getcwd: { parameters: ["buffer", "usize"], result: "pointer" },
  mmap: { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
  parked: {
    name: "poll",
    parameters: ["buffer", "usize", "i32"],
    result: "i32",
    nonblocking: true,
  },
} as const satisfies Deno.ForeignLibraryInterface;
const more: Bound<typeof symbols> = bind(symbols);

function pipe(): [OwnedFd, OwnedFd] {
  const ends = new Int32Array(2);
  check(libc.pipe2(ends, abi.O_CLOEXEC), "pipe2", "create pipe");
  return [new OwnedFd(ends[0]!), new OwnedFd(ends[1]!)];
}

/** Moves ten bytes through a pipe, as carefully as a package should: an operation of many calls. */
function move(): number {
  const [reader, writer] = pipe();
  using _reader = reader;
  using _writer = writer;
  const again = (syscall: string, call: () => number): number => {
    const count = call();
    if (count !== -1) return count;
    const code = errno();
    if (code === ERRNO.EINTR) return again(syscall, call);
    throw failure(code, syscall, syscall);
  };
  let bytes = new Uint8Array(10);
  while (bytes.length > 0) {
    bytes = bytes.subarray(again("write", () => libc.write(writer.fd, bytes, BigInt(bytes.length))));
  }
  const into = new Uint8Array(10);
  let arrived = 0;
  while (arrived < 10) arrived += again("read", () => libc.read(reader.fd, into, 10n));
  return arrived;
}

Deno.test("withFault fails exactly the n-th call that counts", async () => {
  const codes = () => [1, 2, 3].map(() => libc.fcntl(0, abi.F_GETFD, 0) === -1 ? errno() : 0);
  for (const nth of [1, 2, 3]) {
    const run = await withFault({ nth, symbols: "fcntl", errno: 24 }, codes);
    assertEquals(run.result, [1, 2, 3].map((call) => call === nth ? 24 : 0));
    assertEquals(run.hit, "fcntl");
  }
  const beyond = await withFault({ nth: 4, symbols: ["fcntl", "read"], errno: 24 }, codes);
  assertEquals(beyond, { result: [0, 0, 0], hit: undefined, calls: 3 });
  assertEquals(codes(), [0, 0, 0]);
});

Deno.test("withFault hands over what the operation threw, and takes itself away", async () => {
  const error = new Error("of the operation");
  const run = await withFault({ nth: 1, errno: 5 }, () => Promise.reject(error));
  assertStrictEquals(run.error, error);
  assertEquals(stat(0).nlink >= 0, true);
  const failed = await withFault({ nth: 1, errno: ERRNO.EMFILE }, () => pipe());
  assertInstanceOf(failed.error, LimitError);
});

Deno.test("withFault gives each function its own way to fail", async () => {
  const returned = (symbol: string, call: () => unknown) =>
    withFault({ nth: 1, symbols: symbol, errno: 28 }, call).then((run) => run.result);
  assertEquals(await returned("posix_fallocate", () => more.posix_fallocate(-1, 0n, 1n)), 28);
  assertEquals(await returned("lseek", () => more.lseek(0, 0n, 1)), -1n);
  assertEquals(await returned("getcwd", () => more.getcwd(new Uint8Array(99), 99n)), null);
  const mapped = await returned("mmap", () => more.mmap(null, 1n, 0, 0x22, -1, 0n)) as Deno.PointerObject;
  assertEquals(Deno.UnsafePointer.value(mapped), 2n ** 64n - 1n);
  assertEquals(await returned("poll", async () => await more.parked(new Uint8Array(8), 0n, 0)), -1);
});

Deno.test("withFault makes a failing close release the descriptor, as Linux does", async () => {
  const [reader, writer] = pipe();
  using _writer = writer;
  const number = reader.fd;
  await withFault({ nth: 1, symbols: "close", errno: ERRNO.EINTR }, () => reader.close());
  assertEquals(libc.fcntl(number, abi.F_GETFD, 0), -1);
});

Deno.test("withFault cuts reads and writes short, and really makes them", async () => {
  const [reader, writer] = pipe();
  using _reader = reader;
  using _writer = writer;
  const sent = await withFault(
    { nth: 1, short: 3 },
    () => libc.write(writer.fd, new Uint8Array([1, 2, 3, 4, 5]), 5n),
  );
  assertEquals([sent.result, sent.hit], [3, "write"]);
  const into = new Uint8Array(5);
  // The first read asks for no more than that: it does not count.
  const got = await withFault({ nth: 1, short: 2 }, () => [
    libc.read(reader.fd, into, 1n),
    libc.read(reader.fd, into, 5n),
  ]);
  assertEquals([got.result, got.hit, got.calls], [[1, 2], "read", 1]);
  assertEquals([...into], [2, 3, 0, 0, 0]);
});

Deno.test("withFault kills the process before or after the call", async () => {
  for (const when of ["before", "after"] as const) {
    const { signal, stdout } = await runChild(`
      import { libc } from "@core/sys/_libc.ts";
      import { withFault } from "@core/testing/faults.ts";
      const text = new TextEncoder().encode("written ");
      await withFault({ nth: 2, symbols: "write", kill: "${when}" }, () => {
        for (let i = 0; i < 3; i++) libc.write(1, text, 8n);
      });
    `);
    assertEquals(signal, "SIGKILL");
    assertEquals(stdout, "written ".repeat(when === "before" ? 1 : 2));
  }
});

Deno.test("withFault takes one plan at a time, and only one that says what goes wrong", async () => {
  for (const bad of [{ nth: 1 }, { nth: 0, errno: 1 }, { nth: 1, errno: 1, short: 1 }]) {
    await assertRejects(() => withFault(bad, () => {}), TypeError);
  }
  const run = await withFault({ nth: 1, errno: 1 }, () => withFault({ nth: 1, errno: 1 }, () => {}));
  assertInstanceOf(run.error, TypeError);
  assertThrows(() => check(libc.close(-1), "close", "close"), IpcError);
});

Deno.test("everyFault reaches every call of an operation, in every way", async () => {
  const results: unknown[] = [];
  const report = await everyFault(move, {
    errnos: [ERRNO.EINTR, ERRNO.EIO],
    short: 4,
    verify: (run) => void results.push(run.result ?? (run.error as IpcError).code),
  });
  // The calls are pipe2, write, read and two of close; what was interrupted or cut short is made once more, so
  // that the operation has no fault left to find at the place behind it.
  const hits = { pipe2: 2, write: 3, read: 3, close: 4 };
  assertEquals(report, { faults: 12, errors: 4, hits });
  for (const result of results) assert([10, "EINTR", "EIO"].includes(result as string), String(result));
});

Deno.test("everyFault tells of an operation that cannot bear a fault", async () => {
  const careless = () => {
    if (libc.fcntl(0, abi.F_GETFD, 0) === -1) throw new RangeError("oh");
  };
  const error = await assertRejects(() => everyFault(careless, { errnos: [24] }), Error);
  assertStringIncludes(error.message, "call 1 failing with EMFILE, fcntl: oh");
  assertInstanceOf(error.cause, RangeError);

  // A typed error without a fault is the operation's own failure.
  const broken = () => {
    throw new LimitError("never works");
  };
  await assertRejects(() => everyFault(broken, { errnos: [24] }), Error, "(not reached): never works");
});

Deno.test("everyFault tells what verify found, and of an operation that hangs or tries for ever", async () => {
  const verify = () => {
    throw new Error("a descriptor is left");
  };
  await assertRejects(() => everyFault(() => {}, { errnos: [1], verify }), Error, "a descriptor is left");
  const hanging = async () => {
    if (libc.fcntl(0, abi.F_GETFD, 0) === -1) await new Promise(() => {});
  };
  await assertRejects(
    () => everyFault(hanging, { errnos: [ERRNO.EINTR], timeout: 20 }),
    Error,
    "call 1 failing with EINTR, fcntl: it did not end within 20 ms",
  );
  let calls = 0;
  const stubborn = () => {
    calls++;
    for (let call = 0; call < calls; call++) libc.fcntl(0, abi.F_GETFD, 0);
  };
  await assertRejects(() => everyFault(stubborn, { errnos: [4], mostCalls: 10 }), Error, "calls still come");
});
