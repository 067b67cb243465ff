/** What the project relies on in `@std`, asked of the real packages and of the stand-ins alike. */

import {
  assert,
  assertEquals,
  assertExists,
  assertGreater,
  assertInstanceOf,
  assertLess,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
} from "@std/assert";
import { parseArgs } from "@std/cli/parse-args";

const wrong: Record<string, () => unknown> = {
  assert: () => assert(0),
  assertEquals: () => assertEquals(new Uint8Array([1]), new Uint8Array([2])),
  "assertEquals of two classes": () => assertEquals<object>(new Uint8Array([1]), [1]),
  "assertEquals with a key more": () => assertEquals<object>({ a: 1, b: undefined }, { a: 1 }),
  assertExists: () => assertExists(null),
  assertGreater: () => assertGreater(1, 1),
  assertInstanceOf: () => assertInstanceOf(new TypeError(), RangeError),
  assertLess: () => assertLess(1, 1),
  assertMatch: () => assertMatch("abc", /^b/),
  assertNotEquals: () => assertNotEquals([{ a: 1n }], [{ a: 1n }]),
  assertStrictEquals: () => assertStrictEquals([], []),
  assertStringIncludes: () => assertStringIncludes("abc", "ac"),
  assertThrows: () => assertThrows(() => 1),
  "assertThrows of another class": () => assertThrows(raise, RangeError),
  "assertThrows with another message": () => assertThrows(raise, TypeError, "bad queue"),
  fail: () => fail(),
};

function raise(): never {
  throw new TypeError("Bad argument");
}

for (const [title, assertion] of Object.entries(wrong)) {
  Deno.test(`${title} fails`, () => {
    assert(thrownBy(assertion) instanceof Error);
    assert(!(thrownBy(assertion) instanceof TypeError));
  });
}

/** Asked without `assertThrows`, which is among the suspects. */
function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
}

Deno.test("assertThrows and assertRejects return the error", async () => {
  assertEquals(assertThrows(raise, TypeError, "arg").message, "Bad argument");
  assertEquals((await assertRejects(() => Promise.reject(new RangeError("no")), RangeError)).message, "no");
});

Deno.test("assertRejects refuses what resolves, what throws at once, and another class", async () => {
  for (const call of [() => Promise.resolve(1), raise, () => Promise.reject(new TypeError())]) {
    const outcome = await assertRejects(call, RangeError).catch((error: Error) => error.name);
    assertEquals(outcome, "AssertionError");
  }
});

Deno.test("parseArgs sorts the arguments of a command with verbs", () => {
  const args = [
    "send",
    "mq:/jobs",
    "007",
    "-v",
    "-t",
    "5",
    "--tag=a",
    "--tag",
    "b",
    "--no-newline",
    "--",
    "--raw",
  ];
  const parsed = parseArgs(args, {
    string: ["_", "timeout", "tag", "mode"],
    boolean: ["verbose", "newline", "json"],
    collect: ["tag"],
    negatable: ["newline"],
    alias: { verbose: "v", timeout: "t" },
    default: { newline: true, mode: "600" },
    "--": true,
  });
  assertEquals(parsed._.map(String), ["send", "mq:/jobs", "007"]);
  assertEquals(parsed["--"], ["--raw"]);
  const { verbose, timeout, tag, newline, json, mode } = parsed;
  assertEquals({ verbose, timeout, tag, newline, json, mode }, {
    verbose: true,
    timeout: "5",
    tag: ["a", "b"],
    newline: false,
    json: false,
    mode: "600",
  });
});

Deno.test("parseArgs stops early and asks about what it does not know", () => {
  const asked: [arg: string, key: string | undefined][] = [];
  const parsed = parseArgs(["--what=1", "run", "--json"], {
    boolean: ["json"],
    string: ["_"],
    stopEarly: true,
    unknown: (arg, key) => {
      asked.push([arg, key]);
      return key === undefined;
    },
  });
  assertEquals(asked, [["--what=1", "what"], ["run", undefined]]);
  assertEquals(parsed._.map(String), ["run", "--json"]);
  assertEquals(parsed.json, false);
  assert(!("what" in parsed));
});
