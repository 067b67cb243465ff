import { assert, assertEquals } from "@std/assert";
import { encodeFrame, raw } from "@ipc/core";
import { assertSame, concat, decodeSplit, message } from "./_shared_test.ts";

Deno.test("raw: every piece is a message, in any split the bytes are the same", () => {
  const stream = message(300_000);
  const decoder = raw({ maxMessageSize: 50_000 }).decoder();
  const out = decodeSplit(decoder, stream, [0, 1, 5, 100_000, 100_001, 200_000]);
  assertSame([concat(out)], [stream]);
  assertEquals(out[0]!.length, 1);
  assert(out.every(({ length }) => length > 0 && length <= 50_000));
  decoder.end();
  assertEquals(encodeFrame(raw(), new Uint8Array(0)).length, 0);
});
