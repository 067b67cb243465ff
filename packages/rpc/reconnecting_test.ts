import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ClosedError, TimeoutError } from "@ipc/core";
import {
  client,
  DisconnectedError,
  reconnecting,
  type ReconnectOptions,
  RpcError,
  type RpcPeer,
  serve,
} from "./mod.ts";
import { link } from "./testdata/link.ts";
import { until } from "./testdata/waiting.ts";

interface Api {
  get(): number;
  set(): number;
}

/** A server that is gone after each call until `failures` is used up. */
function start(failures: { calls: number; connections: number }, options: ReconnectOptions = {}) {
  const ran: string[] = [];
  let connections = 0;
  let server: RpcPeer | undefined;
  const connect = () => {
    connections++;
    if (failures.connections-- > 0) return Promise.reject(new Error("nobody listens"));
    const [here, there] = link();
    const run = (name: string) => {
      ran.push(name);
      if (failures.calls-- > 0) server!.close();
      return ran.length;
    };
    server = serve<Api>(there, { get: () => run("get"), set: () => run("set") });
    return Promise.resolve(here);
  };
  const api = client<Api>(reconnecting(connect, { idempotent: ["get"], delay: 1, ...options }));
  return {
    api,
    ran,
    get connections() {
      return connections;
    },
    drop: () => server!.close(),
  };
}

Deno.test("a call that is marked is made again, one that is not is not", async () => {
  const service = start({ calls: 2, connections: 1 });
  await using api = service.api;
  assertEquals(service.connections, 0, "nothing is connected before it is needed");
  assertEquals(await api.get(), 3);
  assertEquals(service.ran, ["get", "get", "get"]);
  assertEquals(service.connections, 4);
  service.drop();
  assertEquals(await api.set(), 4);
  const broken = start({ calls: 1, connections: 0 });
  await using other = broken.api;
  await assertRejects(() => other.set(), DisconnectedError);
  assertEquals(broken.ran, ["set"]);
  assertEquals(await other.set(), 2);
});

Deno.test("attempts, time and abort have an end", async () => {
  const never = start({ calls: 0, connections: Infinity }, { attempts: 3 });
  await assertRejects(() => never.api.get(), Error, "nobody listens");
  assertEquals(never.connections, 3);
  const slow = start({ calls: 0, connections: Infinity }, { attempts: 1000, delay: 10 });
  await assertRejects(() => slow.api.with({ timeout: 50 }).get(), Error);
  const controller = new AbortController();
  const call = slow.api.with({ signal: controller.signal }).get();
  const before = slow.connections;
  await until(() => slow.connections > before);
  controller.abort(new Error("enough"));
  await assertRejects(() => call, Error, "enough");
  const hanging = client<Api>(reconnecting(() => new Promise(() => {})));
  await assertRejects(() => hanging.with({ timeout: 20 }).get(), TimeoutError);
  const waiting = hanging.get();
  hanging[Symbol.dispose]();
  await assertRejects(() => waiting, ClosedError);
  await assertRejects(() => hanging.get(), ClosedError);
});

Deno.test("each new peer is shown, to sign in or to serve on it", async () => {
  const peers: RpcPeer[] = [];
  const service = start({ calls: 1, connections: 0 }, {
    onConnect: (peer) => {
      peers.push(peer);
      peer.serve({ name: () => "Ada" });
    },
  });
  await using api = service.api;
  assertEquals(await api.get(), 2);
  assertEquals(peers.length, 2);
});

Deno.test("a connection whose sign-in fails is closed, and the next is tried", async () => {
  const peers: RpcPeer[] = [];
  const service = start({ calls: 0, connections: 0 }, {
    attempts: 3,
    onConnect: (peer) => {
      peers.push(peer);
      if (peers.length < 3) throw new Error("not now");
    },
  });
  await using api = service.api;
  assertEquals(await api.get(), 1);
  assertEquals(peers.map(({ over }) => over), [true, true, false]);
});

Deno.test("a notification waits for a connection as a call does, and no longer", async () => {
  const service = start({ calls: 0, connections: 2 });
  await using api = service.api;
  await api.with({ notify: true }).set();
  await until(() => service.ran.length === 1);
  const never = start({ calls: 0, connections: Infinity }, { attempts: 3 });
  await assertRejects(() => never.api.with({ notify: true }).set(), Error, "nobody listens");
  assertEquals(never.connections, 3);
  const hanging = client<Api>(reconnecting(() => new Promise(() => {})));
  const waiting = hanging.with({ notify: true }).set();
  hanging[Symbol.dispose]();
  await assertRejects(() => waiting, ClosedError);
  for (const options of [{ attempts: NaN }, { attempts: 0 }, { delay: -1 }]) {
    assertThrows(() => reconnecting(() => new Promise(() => {}), options), RangeError);
  }
});

Deno.test("a stream over it is taken as any, and left before it has begun", async () => {
  const [here, there] = link();
  let left = 0;
  using server = serve<{ ticks(): AsyncIterable<number> }>(there, {
    async *ticks() {
      try {
        for (let at = 0;; at++) yield at;
      } finally {
        left++;
      }
    },
  });
  const caller = reconnecting(() => Promise.resolve(here));
  using api = client<{ ticks(): AsyncIterable<number> }>(caller);
  const taken: number[] = [];
  for await (const value of api.ticks()) if (taken.push(value) === 3) break;
  assertEquals(taken, [0, 1, 2]);
  await until(() => left === 1 && server.references === 0);
  assertEquals(await api.ticks()[Symbol.asyncIterator]().return!(), { done: true, value: undefined });
  // What was asked for meanwhile ends when it comes.
  await until(() => left === 2 || server.references === 0);
  await assertRejects(() => Array.fromAsync(caller.call("no such method")), RpcError, "Method not found");
});

Deno.test("a sign-in that fails when its connection is long gone does not touch the next", async () => {
  const servers: RpcPeer[] = [];
  const signIn = Promise.withResolvers<void>();
  const slow = Promise.withResolvers<void>();
  const caller = reconnecting(async () => {
    const [here, there] = link();
    servers.push(serve<Pick<Api, "get">>(there, { get: () => 1 }));
    if (servers.length === 2) await slow.promise;
    return here;
  }, { attempts: 1, onConnect: () => servers.length === 1 ? signIn.promise : undefined });
  const get = () => caller.call("get");
  const first = get();
  await until(() => servers.length === 1);
  // What is called meanwhile waits for the same connection, until that is gone.
  servers[0]!.close();
  await new Promise((resolve) => setTimeout(resolve));
  const second = get();
  await until(() => servers.length === 2);
  signIn.reject(new Error("nobody there"));
  await assertRejects(() => first, Error, "nobody there");
  const third = get();
  slow.resolve();
  assertEquals([await second, await third, servers.length], [1, 1, 2]);
  await caller[Symbol.asyncDispose]!();
  await until(() => servers.every(({ over }) => over));
});
