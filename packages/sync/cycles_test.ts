/** Handles that are opened, used and closed without end leave no descriptor, no mapping and no memory. */

import { assert, assertEquals } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import type { Left } from "./testdata/cycles.ts";

leakCheck();

const COUNT = Math.max(1000, scaled(100_000));
/** Bytes that a healthy process may gain by chance; for each life less than anything that could leak. */
const SPARE = { held: 512 * 1024 + COUNT, resident: 96 * 1024 * 1024 };

Deno.test(`${COUNT} handles of each kind are opened, used and closed over one mapping, and nothing stays`, async () => {
  const program = new URL("./testdata/cycles.ts", import.meta.url).pathname;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-lock", "--no-check", "--v8-flags=--expose-gc", program, String(COUNT)],
    stdin: "null",
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const left: Record<string, Left> = JSON.parse(new TextDecoder().decode(stdout));
  assertEquals(Object.keys(left).length, 8);
  for (const [name, { things, held, resident }] of Object.entries(left)) {
    assertEquals(things, [], name);
    assert(held < SPARE.held, `${name}: ${held} bytes more are held`);
    assert(resident < SPARE.resident, `${name}: ${resident} bytes more are resident`);
  }
});
