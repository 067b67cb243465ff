/** What every channel carries alike: the words, called from another process. */

import { assertEquals, assertRejects } from "@std/assert";
import { TimeoutError } from "@ipc/core";
import type { HttpCaller } from "../http.ts";
import { type Client, RpcError, type RpcPeer } from "../mod.ts";
import { CEILING } from "./waiting.ts";
import type { Words } from "./words.ts";

const many = Array.from({ length: 500 }, (_, index) => index);

/** Calls all of them; `largest` is how many bytes fit. */
export async function suite(api: Client<Words>, peer: RpcPeer, largest: number): Promise<void> {
  assertEquals(await api.add(1, 2), 3);
  assertEquals(await Promise.all(many.map((index) => api.add(index, 1))), many.map((index) => index + 1));
  assertEquals(await api.reverse("Grüße\n\0"), "\0\neßürG");
  const counted: number[] = [];
  for await (const value of api.count(300)) counted.push(value);
  assertEquals(counted, many.slice(1, 301));
  async function* values() {
    yield* counted;
  }
  assertEquals(await api.total(values()), 45_150);
  assertEquals(await api.each(["a", "bb"], (word) => word.length), 3);
  const data = crypto.getRandomValues(new Uint8Array(largest));
  assertEquals(await api.digest(data), new Uint8Array(await crypto.subtle.digest("SHA-256", data)));
  const error = await assertRejects(() => api.fail(), RpcError, "Out of cheese");
  assertEquals([error.code, error.data], [42, [1]]);
  await assertRejects(() => api.with({ timeout: 50 }).hang(), TimeoutError);
  const controller = new AbortController();
  const hanging = api.with({ signal: controller.signal }).hang();
  await untilRunning(api, 1);
  controller.abort();
  await assertRejects(() => hanging, DOMException);
  await untilRunning(api, 0);
  for await (const value of api.count(1_000_000)) if (value === 100) break;
  await untilRunning(api, 0);
  assertEquals(await Promise.all(peer.batch(() => [api.add(1, 1), api.reverse("ab")])), [2, "ba"]);
  assertEquals(peer.calls, 0);
}

/** Waits until so many methods run there, beside the one that is asked. */
async function untilRunning(api: Client<Words>, count: number): Promise<void> {
  const deadline = performance.now() + CEILING;
  for (let running; (running = await api.running()) !== count;) {
    if (performance.now() > deadline) throw new Error(`${running} methods run, and not ${count}`);
  }
}

/** What of it HTTP carries: values, and streams as arrays. */
export async function httpSuite(api: Client<Words>, caller: HttpCaller): Promise<void> {
  assertEquals(await api.add(1, 2), 3);
  const few = many.slice(0, 100);
  assertEquals(await Promise.all(few.map((index) => api.add(index, 1))), few.map((index) => index + 1));
  assertEquals(await api.reverse("Grüße\n\0"), "\0\neßürG");
  assertEquals(await Array.fromAsync(api.count(300)), many.slice(1, 301));
  const error = await assertRejects(() => api.fail(), RpcError, "Out of cheese");
  assertEquals([error.code, error.data], [42, [1]]);
  await assertRejects(() => api.with({ timeout: 50 }).hang(), TimeoutError);
  const controller = new AbortController();
  const hanging = api.with({ signal: controller.signal }).hang();
  setTimeout(() => controller.abort(), 50);
  await assertRejects(() => hanging, DOMException);
  assertEquals(await Promise.all(caller.batch(() => [api.add(1, 1), api.reverse("ab")])), [2, "ba"]);
  assertEquals(caller.requests, 0);
}
