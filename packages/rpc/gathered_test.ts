/** Streams for callers who cannot take one: they get an array, and what they no longer want ends. */

import { assertEquals } from "@std/assert";
import { serve } from "./mod.ts";
import { link, Raw } from "./testdata/link.ts";
import { until } from "./testdata/waiting.ts";

interface Api {
  ticks(): AsyncIterable<number>;
  quiet(): AsyncIterable<number>;
}

function start() {
  const [here, there] = link();
  const left: string[] = [];
  const server = serve<Api>(there, {
    async *ticks() {
      try {
        for (let at = 0;; at++) {
          yield at;
          await new Promise((resolve) => setTimeout(resolve));
        }
      } finally {
        left.push("ticks");
      }
    },
    // Its values never come: only its return() ends it.
    quiet() {
      const { promise, resolve } = Promise.withResolvers<IteratorResult<number>>();
      const end = (): Promise<IteratorResult<number>> => {
        left.push("quiet");
        resolve({ done: true, value: undefined });
        return promise;
      };
      return { [Symbol.asyncIterator]: () => ({ next: () => promise, return: end }) };
    },
  });
  return { raw: new Raw(here), server, left };
}

for (const method of ["ticks", "quiet"]) {
  Deno.test(`${method}: a stream that is gathered ends when nobody wants it any more`, async () => {
    const { raw, server, left } = start();
    await raw.send({ jsonrpc: "2.0", id: 1, method });
    await until(() => server.running === 1);
    const cancelled = await raw.ask({ jsonrpc: "2.0", method: "$/cancelRequest", params: { id: 1 } });
    assertEquals(cancelled, { jsonrpc: "2.0", id: 1, error: { code: -32800, message: "Cancelled" } });
    await until(() => server.running === 0);
    assertEquals(left, [method]);
    const late = await raw.ask({ jsonrpc: "2.0", id: 2, method, "$/timeout": 5 });
    assertEquals((late as { error: { code: number } }).error.code, -32001);
    await until(() => server.running === 0);
    assertEquals(left, [method, method]);
    await raw.send({ jsonrpc: "2.0", id: 3, method });
    await until(() => server.running === 1);
    raw.end.close();
    await until(() => server.running === 0);
    assertEquals(left, [method, method, method]);
  });
}

Deno.test("a stream that is too long to be gathered ends as well", async () => {
  const [here, there] = link();
  let left = false;
  using _ = serve<Pick<Api, "ticks">>(there, {
    async *ticks() {
      try {
        for (let at = 0;; at++) yield at;
      } finally {
        left = true;
      }
    },
  }, { limits: { maxGathered: 3 } });
  const answer = await new Raw(here).ask({ jsonrpc: "2.0", id: 1, method: "ticks" });
  assertEquals(answer, {
    jsonrpc: "2.0",
    id: 1,
    error: { code: -32011, message: "The stream has more than 3 values" },
  });
  assertEquals(left, true);
});
