import { assertThrows } from "@std/assert";
import { interceptCalls } from "@ipc/core/sys";
import { checkName, MessageQueue, type NamedObject } from "./mod.ts";

const OBJECTS: NamedObject[] = ["message queue", "semaphore", "shared memory"];

Deno.test("checkName takes a slash and what a file can be called", () => {
  for (const object of OBJECTS) {
    for (
      const name of ["/a", "/.a", "/...", "/a b\n", "/é", "/-", `/${"x".repeat(251)}`, `/${"é".repeat(125)}`]
    ) {
      checkName(name, object);
    }
  }
  checkName(`/${"x".repeat(255)}`, "message queue");
});

Deno.test("checkName refuses what the kernel would refuse, or take for something else", () => {
  const bad = ["", "jobs", "/", "//", "/a/b", "/a/", "/.", "/..", "/a\0b", "\0", " /a", "../a", "a/b"];
  for (const object of OBJECTS) {
    for (const name of bad) {
      assertThrows(() => checkName(name, object), TypeError, "a name is a slash and up to");
    }
    assertThrows(() => checkName(7 as unknown as string, object), TypeError);
    assertThrows(() => checkName(undefined as unknown as string, object), TypeError);
  }
});

Deno.test("checkName counts bytes, and leaves room for what libc puts before a semaphore's", () => {
  assertThrows(
    () => checkName(`/${"x".repeat(256)}`, "message queue"),
    TypeError,
    "Cannot open message queue: its name has 256 bytes behind the slash, the limit is 255",
  );
  assertThrows(() => checkName(`/${"é".repeat(128)}`, "shared memory"), TypeError, "256 bytes");
  assertThrows(() => checkName(`/${"x".repeat(252)}`, "semaphore"), TypeError, "the limit is 251");
});

Deno.test("a bad name is a TypeError before any call", () => {
  const calls: string[] = [];
  interceptCalls((symbol, args, real) => {
    calls.push(symbol);
    return real(...args);
  });
  try {
    const says = (verb: string) =>
      `Cannot ${verb} message queue "jobs": a name is a slash and up to 255 other characters`;
    assertThrows(() => MessageQueue.open("jobs"), TypeError, says("open"));
    assertThrows(() => MessageQueue.create("jobs"), TypeError, says("create"));
    assertThrows(() => MessageQueue.openOrCreate("jobs"), TypeError, says("open"));
    assertThrows(() => MessageQueue.unlink("jobs"), TypeError, says("unlink"));
  } finally {
    interceptCalls(undefined);
  }
  if (calls.length > 0) throw new Error(`Expected no call, there was ${calls}`);
});
