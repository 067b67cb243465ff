import { assertEquals, assertThrows } from "@std/assert";
import type { Sink } from "./mechanism.ts";
import { BaseSender } from "./sender.ts";

Deno.test("BaseSender refuses a limit that is none, and closes what it was given", () => {
  for (const maxQueuedBytes of [-1, NaN, "x" as unknown as number]) {
    let closed = 0;
    const sink: Sink = {
      maxMessageSize: 1024,
      put: () => true,
      begun: false,
      finish: () => true,
      detach: () => {},
      park: () => () => {},
      end: () => {},
      close: () => void closed++,
    };
    assertThrows(() => new BaseSender(sink, { maxQueuedBytes }), RangeError, "Cannot queue up to");
    assertEquals(closed, 1);
    new BaseSender(sink, { maxQueuedBytes: 0 }).close();
  }
});
