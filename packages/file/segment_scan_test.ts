import { assertEquals } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { closeSync, openSync } from "node:fs";
import { HEADER, writeRecord } from "./_record.ts";
import { recordAt, Window } from "./_segment_scan.ts";

leakCheck();

const rules = { maxMessageSize: 100_000, salt: 7 };

function record(sequence: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER + length);
  writeRecord(bytes, 0, sequence, 0, new Uint8Array(length).fill(sequence), rules.salt);
  return bytes;
}

Deno.test("a record that took the place of a torn one is as long as its own header says", async () => {
  const path = await Deno.makeTempFile();
  const fd = openSync(path, "r");
  try {
    const window = new Window(fd, path);
    await Deno.writeFile(path, record(1, 5000).subarray(0, 1000));
    assertEquals(recordAt(window, 0, 1, rules), undefined);
    // Its writer has died: another one cuts it, and writes more than was missing.
    await Deno.writeFile(path, new Uint8Array([...record(1, 3000), ...record(2, 4000)]));
    assertEquals(recordAt(window, 0, 1, rules), { size: HEADER + 3000, time: 0 });
    assertEquals(recordAt(window, HEADER + 3000, 2, rules), { size: HEADER + 4000, time: 0 });
  } finally {
    closeSync(fd);
    await Deno.remove(path);
  }
});
