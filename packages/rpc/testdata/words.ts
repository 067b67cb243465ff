/** The service that the tests of transports call in another process. */

import { type RpcContext, RpcError } from "../mod.ts";
import { forever } from "./waiting.ts";

export interface Words {
  add(a: number, b: number): number;
  reverse(text: string): string;
  count(to: number): AsyncIterable<number>;
  total(values: AsyncIterable<number>): number;
  each(words: string[], tell: (word: string) => number): number;
  digest(data: Uint8Array): Uint8Array;
  fail(): void;
  hang(): void;
  running(): number;
  die(): void;
}

export const words = {
  add: (a: number, b: number) => a + b,
  reverse: (text: string) => [...text].reverse().join(""),
  async *count(to: number) {
    for (let at = 1; at <= to; at++) yield at;
  },
  async total(values: AsyncIterable<number>) {
    let sum = 0;
    for await (const value of values) sum += value;
    return sum;
  },
  async each(list: string[], tell: (word: string) => Promise<number>) {
    let sum = 0;
    for (const word of list) sum += await tell(word);
    return sum;
  },
  digest: async (data: Uint8Array) =>
    new Uint8Array(await crypto.subtle.digest("SHA-256", data as Uint8Array<ArrayBuffer>)),
  fail() {
    throw new RpcError(42, "Out of cheese", { data: [1] });
  },
  hang(this: RpcContext) {
    return forever(this.signal);
  },
  running(this: RpcContext) {
    return this.peer.running;
  },
  die(): never {
    Deno.kill(Deno.pid, "SIGKILL");
    throw new Error("unreachable");
  },
};
