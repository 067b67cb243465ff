import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  ClosedError,
  IpcError,
  LimitError,
  MessageTooLongError,
  NotFoundError,
  TimeoutError,
} from "@ipc/core";
import {
  client,
  DisconnectedError,
  type RpcContext,
  RpcError,
  RpcPeer,
  serve,
  type ServeOptions,
} from "./mod.ts";
import { link, Raw } from "./testdata/link.ts";
import { forever, until } from "./testdata/waiting.ts";

interface Api {
  add(a: number, b: number): number;
  echo(value: unknown): unknown;
  wait(): void;
  left(): number | undefined;
  fail(kind: string): void;
}

const aborted: unknown[] = [];

function start(options: ServeOptions = {}, maxMessageSize = Infinity) {
  aborted.length = 0;
  const [here, there] = link({ maxMessageSize });
  const server = serve<Api>(there, {
    add: (a, b) => a + b,
    echo: (value) => value,
    wait(this: RpcContext) {
      return forever(this.signal, aborted);
    },
    left(this: RpcContext) {
      return this.timeout;
    },
    fail(kind) {
      if (kind === "rpc") throw new RpcError(42, "Out of cheese", { data: { left: 0 } });
      if (kind === "ipc") {
        throw new NotFoundError('Cannot open "/secret/path": no such queue', { target: "/secret" });
      }
      if (kind === "thrown") throw kind;
      throw new Error("the password is swordfish");
    },
  }, options);
  const peer = new RpcPeer(here, { limits: { ...options.limits, maxRunning: 1024 } });
  const api = client<Api>(peer);
  return {
    api,
    peer,
    server,
    here,
    there,
    [Symbol.dispose]: () => {
      peer.close();
      server.close();
    },
  };
}

Deno.test("a call gives what the method gives; undefined is null on the wire", async () => {
  using both = start();
  assertEquals(await both.api.add(1, 2), 3);
  for (const value of [null, true, 0, "", "ü\u{1f600}", [], {}, [[1], { a: [2] }], "x".repeat(100_000)]) {
    assertEquals(await both.api.echo(value), value);
  }
  assertEquals(await both.api.echo(undefined), null);
  assertEquals(
    await Promise.all(Array.from({ length: 100 }, (_, i) => both.api.add(i, i))),
    Array.from({ length: 100 }, (_, i) => 2 * i),
  );
  assertEquals([both.peer.calls, both.server.running], [0, 0]);
});

Deno.test("errors cross: RpcError as it is, IpcError with its code, others without a word unless asked", async () => {
  using both = start();
  const told = await assertRejects(() => both.api.fail("rpc"), RpcError, "Out of cheese");
  assertEquals([told.code, told.data], [42, { left: 0 }]);
  const ipc = await assertRejects(() => both.api.fail("ipc"), RpcError);
  assertEquals([ipc.code, ipc.data], [-32000, { name: "NotFoundError", code: "ENOENT" }]);
  for (const kind of ["other", "thrown"]) {
    const other = await assertRejects(() => both.api.fail(kind), RpcError);
    assertEquals([other.code, other.message, other.data], [-32603, "Internal error", undefined]);
  }
  assert(!ipc.message.includes("secret"));
  using open = start({ exposeErrors: true });
  await assertRejects(() => open.api.fail("other"), RpcError, "the password is swordfish");
  await assertRejects(() => open.api.fail("ipc"), RpcError, "/secret/path");
});

Deno.test("an abort rejects with its reason at once, and the method hears of it", async () => {
  using both = start();
  const controller = new AbortController();
  const call = both.api.with({ signal: controller.signal }).wait();
  await until(() => both.server.running === 1);
  const reason = new Error("enough");
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => call), reason);
  await until(() => aborted.length === 1 && both.server.running === 0);
  assertEquals((aborted[0] as RpcError).code, -32800);
  const before = AbortSignal.abort(reason);
  assertStrictEquals(await assertRejects(() => both.api.with({ signal: before }).wait()), reason);
  assertEquals(await both.api.add(1, 1), 2);
});

Deno.test("$/cancelRequest is answered with -32800, as editors expect it", async () => {
  using both = start();
  both.peer.close();
  const [here, there] = link();
  using _server = serve<{ wait(): void }>(there, {
    wait(this: RpcContext) {
      return forever(this.signal);
    },
  });
  const raw = new Raw(here);
  for (const id of [1, "one"]) {
    await raw.send({ jsonrpc: "2.0", id, method: "wait" });
    const answer = await raw.ask({ jsonrpc: "2.0", method: "$/cancelRequest", params: { id } });
    assertEquals(answer, { jsonrpc: "2.0", id, error: { code: -32800, message: "Cancelled" } });
  }
  await raw.send({ jsonrpc: "2.0", method: "$/cancelRequest", params: { id: "nobody" } });
  await raw.send({ jsonrpc: "2.0", method: "$/cancelRequest" });
  assert(await raw.silent());
});

Deno.test("a time limit ends the call here and the work there, each by its own clock", async () => {
  using both = start();
  const error = await assertRejects(() => both.api.with({ timeout: 20 }).wait(), TimeoutError);
  assertEquals(error.message, "Cannot call wait: no answer within 20 ms");
  await until(() => aborted.length === 1 && both.server.running === 0);
  await assertRejects(() => both.api.with({ timeout: 0 }).wait(), TimeoutError);
  for (const timeout of [-1, NaN, "5" as unknown as number]) {
    await assertRejects(() => both.api.with({ timeout }).add(1, 2), RangeError);
  }
  assertEquals(await both.api.with({ timeout: 2 ** 40 }).add(1, 2), 3);
});

Deno.test("the one who serves enforces the limit alone, with -32001", async () => {
  const [here, there] = link();
  using server = serve<{ wait(): void }>(there, { wait: () => new Promise<void>(() => {}) });
  const raw = new Raw(here);
  const answer = await raw.ask({ jsonrpc: "2.0", id: 1, method: "wait", "$/timeout": 20 });
  assertEquals(answer, { jsonrpc: "2.0", id: 1, error: { code: -32001, message: "The time is over" } });
  assertEquals(server.running, 1, "it still runs, and counts");
});

Deno.test("a method sees what is left of the time, and passes it on with its signal", async () => {
  using back = start();
  const [here, there] = link();
  using _front = serve<{ relay(): number; hang(): void }>(there, {
    relay(this: RpcContext) {
      return back.api.with(this).left() as Promise<number>;
    },
    hang(this: RpcContext) {
      return back.api.with(this).wait();
    },
  });
  using api = client<{ relay(): number; hang(): void }>(here);
  const left = await api.with({ timeout: 60_000 }).relay();
  assert(left > 0 && left <= 60_000, `${left}`);
  assertEquals(await api.relay(), null as unknown as number);
  const controller = new AbortController();
  const call = api.with({ signal: controller.signal }).hang();
  await until(() => back.server.running === 1);
  controller.abort();
  await assertRejects(() => call, DOMException);
  await until(() => back.server.running === 0);
});

Deno.test("RPC-005 a peer that goes fails all calls at once with one clear error, and nothing is left", async () => {
  using both = start();
  const calls = [both.api.wait(), both.api.with({ timeout: 100_000 }).wait(), both.api.wait()];
  await until(() => both.server.running === 3);
  both.server.close();
  for (const call of calls) {
    const error = await assertRejects(() => call, DisconnectedError);
    assertEquals(error.message, "Cannot call wait: the other side is gone");
  }
  await assertRejects(() => both.api.add(1, 2), DisconnectedError, "Cannot call add: the other side is gone");
  assertEquals(await both.peer.closed, undefined);
  assertEquals(both.peer.calls, 0);
});

Deno.test("a caller that goes ends the work for it", async () => {
  using both = start();
  const call = both.api.wait();
  await until(() => both.server.running === 1);
  both.peer.close();
  await assertRejects(() => call, ClosedError, "Cannot call wait: the peer was closed");
  await until(() => both.server.running === 0);
  assert(aborted[0] instanceof IpcError);
});

Deno.test("nothing that waited for its turn keeps a timer when its caller has gone", async () => {
  const timers = new Set<number>();
  let last = 0;
  const clock = {
    now: () => 0,
    setTimeout: () => {
      timers.add(++last);
      return last;
    },
    clearTimeout: (timer: unknown) => void timers.delete(timer as number),
  };
  using both = start({ clock, limits: { maxRunning: 1 } });
  const calls = [1, 2, 3].map(() => both.api.with({ timeout: 1000 }).wait());
  await until(() => timers.size === 3);
  both.peer.close();
  for (const call of calls) await assertRejects(() => call, ClosedError);
  await both.server.closed;
  assertEquals(timers.size, 0);
});

Deno.test("notifications run and nothing is answered; their errors are heard where they happen", async () => {
  const heard: unknown[] = [];
  using both = start({ onError: (error) => heard.push(error) });
  await both.api.with({ notify: true }).fail("rpc");
  await both.peer.notify("fail", ["rpc"]);
  await both.peer.notify("no such method");
  assertEquals(await both.api.add(1, 2), 3);
  assertEquals(heard.map((error) => (error as RpcError).code), [42, 42]);
});

Deno.test("a method sees of its request what its context has, and no more", async () => {
  const [here, there] = link();
  let seen: RpcContext | undefined;
  using server = serve<{ look(): void }>(there, {
    look(this: RpcContext) {
      seen = this;
    },
  }, { caller: "ada" });
  using api = client<{ look(): void }>(here);
  await api.with({ timeout: 60_000 }).look();
  const { signal, timeout, peer, caller, method } = seen!;
  assert(!signal.aborted && timeout! > 0 && timeout! <= 60_000);
  assertEquals([caller, method], ["ada", "look"]);
  assertStrictEquals(peer, server);
  const names = [seen!, Object.getPrototypeOf(seen)].flatMap((object) => Reflect.ownKeys(object));
  assertEquals(names.toSorted(), ["caller", "constructor", "method", "peer", "signal", "timeout"]);
});

Deno.test("a result beside an error that is null is a result", async () => {
  const [here, there] = link();
  using peer = new RpcPeer(here, { extensions: false });
  const raw = new Raw(there);
  const [first, second] = [peer.call("add"), peer.call("add")];
  await raw.send({ jsonrpc: "2.0", id: 1, error: null, result: 3 });
  assertEquals(await first, 3);
  await raw.send({ jsonrpc: "2.0", id: 2, error: { code: 1, message: "no" }, result: null });
  await assertRejects(() => second, RpcError, "no");
});

Deno.test("batches leave as one message, and each call has its answer", async () => {
  const [here, there] = link();
  const peer = new RpcPeer(here, { extensions: false });
  const raw = new Raw(there);
  const api = client<Api>(peer);
  const calls = peer.batch(() => {
    void peer.notify("echo", [0]);
    return Promise.all([api.add(1, 2), api.add(3, 4)]);
  });
  assertEquals(await raw.next(), [
    { jsonrpc: "2.0", method: "echo", params: [0] },
    { jsonrpc: "2.0", id: 1, method: "add", params: [1, 2] },
    { jsonrpc: "2.0", id: 2, method: "add", params: [3, 4] },
  ]);
  await raw.send([{ jsonrpc: "2.0", id: 2, result: 7 }, { jsonrpc: "2.0", id: 1, result: 3 }]);
  assertEquals(await calls, [3, 7]);
  peer.close();
  using both = start();
  const sums = both.peer.batch(() => [both.api.add(1, 1), both.api.add(2, 2)]);
  assertEquals(await Promise.all(sums), [2, 4]);
});

Deno.test("by name, the one parameter is the object itself", async () => {
  const [here, there] = link();
  const raw = new Raw(there);
  using api = client<{ open(params: { path: string }): void }>(here, { extensions: false });
  const call = api.with({ byName: true }).open({ path: "/a" });
  assertEquals(await raw.next(), { jsonrpc: "2.0", id: 1, method: "open", params: { path: "/a" } });
  await raw.send({ jsonrpc: "2.0", id: 1, result: null });
  await call;
});

Deno.test("without extensions nothing is sent but plain JSON-RPC", async () => {
  const [here, there] = link();
  const raw = new Raw(there);
  using api = client<Api>(here, { extensions: false });
  const call = api.with({ timeout: 20 }).echo({ "$/bytes": 1, data: new Uint8Array([1, 2, 3]) });
  assertEquals(await raw.next(), {
    jsonrpc: "2.0",
    id: 1,
    method: "echo",
    params: [{ "$/bytes": 1, data: "AQID" }],
  });
  await assertRejects(() => call, TimeoutError);
  assertEquals(await raw.next(), { jsonrpc: "2.0", method: "$/cancelRequest", params: { id: 1 } });
  await assertRejects(() => api.echo(() => {}), TypeError, "Cannot send a function");
});

Deno.test("answers that make no sense are not heard, and harm nobody", async () => {
  const [here, there] = link();
  const raw = new Raw(there);
  const heard: unknown[] = [];
  using api = client<Api>(here, { extensions: false, onError: (error) => heard.push(error) });
  const call = api.add(1, 2);
  await raw.next();
  for (
    const message of [
      { jsonrpc: "2.0", id: 99, result: 1 },
      { jsonrpc: "2.0", id: "1", result: 1 },
      { jsonrpc: "2.0", id: null, error: { code: -32700, message: "Parse error" } },
      { jsonrpc: "2.0", id: [1], result: 1 },
      { jsonrpc: "2.0", method: "$/stream/next", params: { id: 1, values: [1] } },
      { jsonrpc: "2.0", method: "$/stream/end" },
      { jsonrpc: "2.0", method: "$/release", params: { id: 1, count: 1 } },
    ]
  ) await raw.send(message);
  await raw.send({ jsonrpc: "2.0", id: 1, result: 3 });
  assertEquals(await call, 3);
  assertEquals(heard.map((error) => (error as RpcError).code), [-32700]);
  const odd = api.add(1, 2);
  await raw.next();
  await raw.send({ jsonrpc: "2.0", id: 2, error: "no object" });
  const error = await assertRejects(() => odd, RpcError);
  assertEquals([error.code, error.data], [-32603, "no object"]);
});

Deno.test("what is too long is not sent, in either direction, and the connection stays", async () => {
  using both = start({}, 300);
  await assertRejects(() => both.api.echo("x".repeat(300)), MessageTooLongError);
  assertEquals(await both.api.echo("short"), "short");
  both.server.serve({ long: () => "x".repeat(300) });
  const error = await assertRejects(() => both.peer.call("long"), RpcError);
  assertEquals(error.code, -32011);
  both.server.serve({ bad: () => 10n });
  assertEquals((await assertRejects(() => both.peer.call("bad"), RpcError)).code, -32603);
  const cycle: unknown[] = [];
  cycle.push(cycle);
  await assertRejects(() => both.api.echo(cycle), TypeError);
  assertEquals(both.peer.calls, 0);
});

Deno.test("a batch that is too long leaves in parts, and what is too long alone is refused", async () => {
  using both = start({}, 300);
  await both.api.add(1, 1);
  const results = await Promise.allSettled(both.peer.batch(() => [
    both.api.echo("a".repeat(200)),
    both.api.echo("b".repeat(300)),
    both.api.echo("c".repeat(200)),
  ]));
  assertEquals(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  assert((results[1] as PromiseRejectedResult).reason instanceof MessageTooLongError);
  assertEquals(both.peer.calls, 0);
  // So do answers that are too long together.
  const texts = both.peer.batch(() => [both.peer.call("twice", ["a"]), both.peer.call("twice", ["b"])]);
  both.server.serve({ twice: (text: string) => text.repeat(150) });
  assertEquals(await Promise.all(texts), ["a".repeat(150), "b".repeat(150)]);
});

Deno.test("calls that nobody answers are limited", async () => {
  const [here] = link();
  using peer = new RpcPeer(here, { limits: { maxCalls: 3 } });
  const calls = [1, 2, 3].map(() => peer.call("wait"));
  await assertRejects(() => peer.call("wait"), LimitError);
  assertThrows(() => new RpcPeer(here, { limits: { maxCalls: 0 } }), RangeError, "Cannot set maxCalls to 0");
  peer.close();
  assertEquals((await Promise.allSettled(calls)).map(({ status }) => status), Array(3).fill("rejected"));
});

Deno.test("a client is no promise, and its own names are not sent", async () => {
  using both = start();
  assertStrictEquals(await Promise.resolve(both.api), both.api);
  assertEquals(both.peer.calls, 0);
  assertStrictEquals(both.api.add, both.api.add);
});
