/** Services on this machine: who calls, who may, and how they end. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ClosedError, NotFoundError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { connect, listen, type Peer } from "@ipc/socket";
import { connectLocal, serveListener, serveLocal } from "./local.ts";
import { client, DisconnectedError, type RpcContext, RpcPeer } from "./mod.ts";
import { forever, until } from "./testdata/waiting.ts";
import { folder, socketTest } from "./testdata/sockets.ts";

leakCheck();

interface Api {
  whoAmI(): { pid: number; uid: number; gid: number; deno: boolean };
  size(data: Uint8Array): number;
  hang(): void;
  slow(): string;
}

function handlers(aborted: unknown[] = [], slow = Promise.resolve("done")) {
  return {
    whoAmI(this: RpcContext<Peer>) {
      const { pid, uid, gid, executable } = this.caller;
      return { pid, uid, gid, deno: executable === undefined || executable.includes("deno") };
    },
    size: (data: Uint8Array) => data.length,
    hang(this: RpcContext<Peer>) {
      return forever(this.signal, aborted);
    },
    slow: () => slow,
  };
}

for (const scheme of ["unix", "unix-seqpacket"] as const) {
  socketTest(`${scheme}: methods know the process that calls`, {}, async () => {
    using dir = folder();
    const address = `${scheme}:${dir.path}/who` as const;
    await using server = await serveLocal<Api>(address, handlers());
    const me = { pid: Deno.pid, uid: Deno.uid()!, gid: Deno.gid()!, deno: true };
    const api = await connectLocal<Api>(address);
    assertEquals(await api.whoAmI(), me);
    assertEquals(await api.size(new Uint8Array(100_000)), 100_000);

    const script = new URL("testdata/who.ts", import.meta.url).pathname;
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "--no-check", script, address],
      stdin: "null",
      stderr: "inherit",
    }).output();
    const { pid, told } = JSON.parse(new TextDecoder().decode(stdout));
    assertEquals(told, { ...me, pid });
    assert(pid !== Deno.pid);
    api[Symbol.dispose]();
    await until(() => server.connections === 0);
  });
}

socketTest("a table with an entry that is no method listens nowhere", {}, async () => {
  using dir = folder();
  const address = `unix:${dir.path}/wrong` as const;
  const wrong = { ...handlers(), slow: 5 as never };
  await assertRejects(
    () => serveLocal<Api>(address, wrong),
    TypeError,
    "Cannot serve slow: it is no function",
  );
  await assertRejects(() => connectLocal(address), NotFoundError);
  const listener = await listen("tcp:127.0.0.1:0");
  assertThrows(() => serveListener<Api, Peer>(listener, wrong), TypeError, "Cannot serve slow");
  assert(!listener.closed);
  listener.close();
});

socketTest("a method that tells a caller who has left is told nothing that it must handle", {}, async () => {
  using dir = folder();
  let gone = false;
  let ended = false;
  await using server = await serveLocal<{ work(tell: (count: number) => void): void }>(
    `unix:${dir.path}/work`,
    {
      async work(tell) {
        for (let count = 1; !gone; count++) {
          tell(count);
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
        await assertRejects(() => tell(0), DisconnectedError);
        ended = true;
      },
    },
  );
  const script = new URL("testdata/leave.ts", import.meta.url).pathname;
  for (const how of ["leaves", "fails"]) {
    const { code } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "--no-check", script, server.address, how],
      stdin: "null",
      stderr: "inherit",
    }).output();
    assertEquals(code, 7);
  }
  await until(() => server.connections === 0);
  gone = true;
  await until(() => ended);
});

socketTest("who is not authorised cannot call", {}, async () => {
  using dir = folder();
  const address = `unix:${dir.path}/closed` as const;
  await using server = await serveLocal<Api>(address, handlers(), { authorize: () => false });
  using api = await connectLocal<Api>(address);
  await assertRejects(() => api.whoAmI(), DisconnectedError);
  assertEquals(server.connections, 0);
  await assertRejects(() => connectLocal(`unix:${dir.path}/none`), NotFoundError);
});

socketTest("an onError that throws ends neither the process nor what others are served", {}, async () => {
  using dir = folder();
  let heard = 0;
  await using server = await serveLocal<Api>(`unix:${dir.path}/careless`, handlers(), {
    authorize: () => {
      if (heard === 0) throw new Error("no list of users");
      return true;
    },
    onError: () => {
      heard++;
      throw new Error("the log is full");
    },
  });
  using first = await connectLocal<Api>(server.address);
  await assertRejects(() => first.whoAmI(), DisconnectedError);
  await until(() => heard === 1);
  using second = await connectLocal<Api>(server.address);
  assertEquals(await second.size(new Uint8Array(3)), 3);
});

socketTest("a caller that goes cancels what runs for it", {}, async () => {
  using dir = folder();
  const aborted: unknown[] = [];
  await using server = await serveLocal<Api>(`unix:${dir.path}/hang`, handlers(aborted));
  const api = await connectLocal<Api>(server.address);
  const hanging = api.hang();
  await until(() => server.peers[0]?.running === 1);
  api[Symbol.dispose]();
  await assertRejects(() => hanging, ClosedError);
  await until(() => aborted.length === 1);
});

socketTest("the end of a service lets what runs be answered, and its close does not", {}, async () => {
  using dir = folder();
  for (const kind of ["end", "close"] as const) {
    const slow = Promise.withResolvers<string>();
    const server = await serveLocal<Api>(`unix:${dir.path}/${kind}`, handlers([], slow.promise));
    using api = await connectLocal<Api>(server.address);
    const call = api.slow();
    await until(() => server.peers[0]?.running === 1);
    const ended = server[kind]();
    if (kind === "close") {
      await assertRejects(() => call, DisconnectedError);
      slow.resolve("too late");
    } else {
      await assertRejects(() => connectLocal(server.address));
      slow.resolve("answered");
      assertEquals(await call, "answered");
    }
    await ended;
    await server.closed;
    await until(() => server.connections === 0);
  }
});

socketTest("the end of a service waits for no more than its time limit", {}, async () => {
  using dir = folder();
  const aborted: unknown[] = [];
  const server = await serveLocal<Api>(`unix:${dir.path}/patience`, handlers(aborted));
  using api = await connectLocal<Api>(server.address);
  const call = api.hang();
  await until(() => server.peers[0]?.running === 1);
  const ended = server.end({ timeout: 50 });
  await assertRejects(() => call, DisconnectedError);
  await ended;
  assertEquals([aborted.length, server.connections], [1, 0]);
});

socketTest("a server calls those who are connected, and hears of what goes wrong", {}, async () => {
  using dir = folder();
  const errors: unknown[] = [];
  await using server = await serveLocal<Api>(`unix:${dir.path}/news`, handlers(), {
    framing: "lines",
    onError: (error) => errors.push(error),
  });
  const heard: string[] = [];
  const channel = await connect(server.address, { framing: "lines" });
  await using peer = new RpcPeer(channel);
  peer.serve({ news: (text: string) => void heard.push(text) });
  const api = client<Api>(peer);
  assertEquals(await api.size(new Uint8Array(0)), 0);
  for (const other of server.peers) await client<{ news(text: string): void }>(other).news("hello");
  assertEquals(heard, ["hello"]);
  await api.with({ notify: true }).size(undefined as never);
  await until(() => errors.length === 1);
});

socketTest("one connection that cannot be served costs the others nothing", {}, async () => {
  const errors: unknown[] = [];
  let count = 0;
  await using server = serveListener<Api, Peer>(await listen("tcp:127.0.0.1:0"), handlers(), {
    caller: () => {
      if (++count === 1) throw new Error("not you");
      return { pid: 1, uid: 2, gid: 3, groups: [], executable: undefined };
    },
    onError: (error) => errors.push(error),
  });
  using refused = client<Api>(await connect(server.address));
  await assertRejects(() => refused.whoAmI(), DisconnectedError);
  using api = client<Api>(await connect(server.address));
  assertEquals(await api.whoAmI(), { pid: 1, uid: 2, gid: 3, deno: true });
  assertEquals((errors[0] as Error).message, "not you");
});
