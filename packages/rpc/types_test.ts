/** What does not compile: `deno check` fails where an error that is expected is missing. */

import { assertEquals } from "@std/assert";
import { client, method, type RpcChannel, type RpcContext, RpcPeer, serve } from "./mod.ts";
import { link } from "./testdata/link.ts";

interface Api {
  add(a: number, b: number): number;
  greet(name: string, loudly?: boolean): Promise<string>;
  tail(path: string): AsyncIterable<string>;
  each(tell: (word: string) => number): void;
  readonly version: string;
  listen(hooks: { news?: (text: string) => void; on: string[] }): () => number;
  maybe?(a: number): number;
}

// Never called: it is only to be compiled.
export async function calls(channel: RpcChannel): Promise<void> {
  const api = client<Api>(channel);
  const sum: number = await api.add(1, 2);
  const greeting: string = await api.greet("Ada");
  await api.greet("Ada", true);
  for await (const line of api.tail("log")) line.toUpperCase();
  for await (const line of await api.tail("log")) line.toUpperCase();
  await api.with({ timeout: 5 }).add(sum, greeting.length);
  await api.each((word) => word.length);
  const nothing: void = await api.with({ notify: true }).add(1, 2);
  const none: void = await api.each((word) => word.length);
  const stop = await api.listen({ news: (text) => void text.length, on: ["a"] });
  const count: number = await stop();
  stop.release();
  // @ts-expect-error a function that is given gives a promise
  const early: number = stop();
  const perhaps: number = await api.maybe(count);
  // @ts-expect-error there is no such method
  await api.subtract(1, 2);
  // @ts-expect-error what is no function is no method
  await api.version();
  // @ts-expect-error too few parameters
  await api.add(1);
  // @ts-expect-error too many parameters
  await api.add(1, 2, 3);
  // @ts-expect-error wrong type of a parameter
  await api.add(1, "2");
  // @ts-expect-error wrong type of the result
  const text: string = await api.add(1, 2);
  // @ts-expect-error a number is no stream
  for await (const value of api.add(1, 2)) void value;
  // @ts-expect-error wrong type of what a callback gives
  await api.each((word) => word);
  // @ts-expect-error no such option
  await api.with({ timout: 5 }).add(1, 2);
  // @ts-expect-error a notification has no result
  const number: number = await api.with({ notify: true }).add(1, 2);
  void [nothing, none, text, number, early, perhaps];
}

export function handlers(channel: RpcChannel): void {
  const good = {
    add: (a: number, b: number) => a + b,
    greet: (name: string) => name,
    async *tail(path: string) {
      yield path;
    },
    each: () => {},
    listen: () => () => 1,
  };
  serve<Api>(channel, good);
  serve<Api>(channel, { ...good, add: method((a: number, b: number) => a + b) });
  serve<Api, { uid: number }>(channel, {
    ...good,
    add(this: RpcContext<{ uid: number }>, a: number) {
      return a + this.caller.uid;
    },
    async each(tell) {
      const length: number = await tell("a");
      tell.release();
      void length;
    },
  }, { caller: { uid: 0 } });
  serve<Api>(channel, {
    ...good,
    listen(hooks) {
      const first: string | undefined = hooks.on[0];
      void hooks.news?.(first ?? "").then(() => hooks.news?.release());
      return () => 1;
    },
    maybe: (a) => a,
  });
  // @ts-expect-error wrong type of the result of one that may be missing
  serve<Api>(channel, { ...good, maybe: () => "3" });
  // @ts-expect-error one is missing
  serve<Api>(channel, { add: good.add, greet: good.greet, tail: good.tail });
  // @ts-expect-error there is no such method
  serve<Api>(channel, { ...good, other: () => 1 });
  // @ts-expect-error wrong type of a parameter
  serve<Api>(channel, { ...good, add: (a: string, b: string) => a + b });
  // @ts-expect-error wrong type of the result
  serve<Api>(channel, { ...good, add: () => "3" });
  // @ts-expect-error no stream
  serve<Api>(channel, { ...good, tail: () => "line" });
  // @ts-expect-error a callback gives a promise
  serve<Api>(channel, { ...good, each: (tell) => void tell("a").toFixed() });
}

Deno.test("what compiles works", async () => {
  const [here, there] = link();
  using _server = serve<Pick<Api, "add" | "greet">>(new RpcPeer(there), {
    add: method((a, b) => a + b),
    greet: async (name, loudly) => await Promise.resolve(loudly ? name.toUpperCase() : name),
  });
  using api = client<Api>(here);
  assertEquals([await api.add(1, 2), await api.greet("Ada", true)], [3, "ADA"]);
});
