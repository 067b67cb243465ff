import { assert, assertEquals, assertMatch } from "@std/assert";
import { describeErrno, ERRNO, errnoName } from "@ipc/core";

const { targets } = JSON.parse(await Deno.readTextFile(new URL("testdata/abi.json", import.meta.url))) as {
  targets: Record<string, { errno: Record<string, number> }>;
};

for (const [target, { errno }] of Object.entries(targets)) {
  Deno.test(`ERRNO is what ${target} has`, () => {
    const ours: Record<string, number> = ERRNO;
    assert(Object.keys(errno).length > 70);
    for (const [name, value] of Object.entries(errno)) assertEquals(ours[name], value, name);
  });
}

Deno.test("every number from 1 to 133 has one name and a description of its own, gaps excepted", () => {
  // 41 and 58 are second names elsewhere and unused on Linux.
  const numbers = Array.from({ length: 133 }, (_, index) => index + 1).filter((n) => n !== 41 && n !== 58);
  assertEquals([...new Set(Object.values(ERRNO) as number[])].sort((a, b) => a - b), numbers);
  const described = numbers.map(describeErrno);
  for (const description of described) assertMatch(description, /^(?!unknown)[A-Za-z]/);
  assertEquals(new Set(described).size, described.length);
});

Deno.test("errnoName prefers the first name", () => {
  assertEquals(errnoName(11), "EAGAIN");
  assertEquals(errnoName(35), "EDEADLK");
  assertEquals(errnoName(95), "EOPNOTSUPP");
});

Deno.test("a number that Linux does not know is told as it is", () => {
  for (const unknown of [0, 41, 58, 134, 999, -1]) {
    assertEquals(errnoName(unknown), `E${unknown}`);
    assertEquals(describeErrno(unknown), `unknown error ${unknown}`);
  }
});
