import { assert, assertEquals, assertRejects } from "@std/assert";
import { NotFoundError, NotSupportedError, TimeoutError, UntrustedError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import type { UnixDatagram } from "@ipc/socket";
import { has } from "../core/testdata/child.ts";
import { waitsEnded } from "./testdata/waits.ts";
import { AddressError, connect, list, listen, remove, type SocketStatus, stat } from "./mod.ts";

leakCheck();

const python = has("python3");
const other = python && Deno.uid() === 0;
if (!other) console.warn("python3 is missing, or this is not root: what others can do is not tested");

const bytes = (text: string) => new TextEncoder().encode(text);
const textOf = (message: Uint8Array | undefined) => message && new TextDecoder().decode(message);

/** A folder for one test, whose waits have ended when it goes. */
function folder(): { readonly path: string } & AsyncDisposable {
  const path = Deno.makeTempDirSync();
  return {
    path,
    async [Symbol.asyncDispose]() {
      Deno.removeSync(path, { recursive: true });
      await waitsEnded();
    },
  };
}

for (const scheme of ["unix", "unix-seqpacket"]) {
  Deno.test(`${scheme}: who listens to receive has the messages of all who connect`, async () => {
    await using dir = folder();
    const address = `${scheme}:${dir.path}/in`;
    await assertRejects(() => connect(address, { direction: "send" }), NotFoundError);
    using receiver = await listen(address, { direction: "receive", mode: 0o620 });
    assertEquals(Deno.lstatSync(`${dir.path}/in`).mode! & 0o777, 0o620);
    const senders = [1, 2, 3].map(() => connect(address, { direction: "send" }));
    for (const [index, opening] of senders.entries()) {
      await using sender = await opening;
      await sender.sendBatch([bytes(`${index}`), bytes("")]);
    }
    const got: (string | undefined)[] = [];
    for (let count = 0; count < 6; count++) got.push(textOf(await receiver.receive()));
    assertEquals(got.toSorted(), ["", "", "", "0", "1", "2"]);
    await assertRejects(() => receiver.receive({ timeout: 20 }), TimeoutError);
    await using late = await connect(address, { direction: "send" });
    const pending = receiver.receive();
    await late.send(bytes("late"));
    assertEquals(textOf(await pending), "late");
    receiver.close();
    assertEquals([...Deno.readDirSync(dir.path)], []);
  });

  Deno.test(`${scheme}: who listens in both directions has the first who connects`, async () => {
    await using dir = folder();
    const address = `${scheme}:${dir.path}/in`;
    await assertRejects(() => listen(address, { timeout: 20 }), TimeoutError);
    assertEquals([...Deno.readDirSync(dir.path)], []);
    const listening = listen(address);
    let client = connect(address).catch(() => undefined);
    while (await client === undefined) client = connect(address).catch(() => undefined);
    await using near = (await client)!;
    await using far = await listening;
    assertEquals([...Deno.readDirSync(dir.path)], [], "nobody else can connect");
    await near.send(bytes("there"));
    assertEquals(textOf(await far.receive()), "there");
    await far.send(bytes("back"));
    await far.end();
    assertEquals(textOf(await near.receive()), "back");
    assertEquals(await near.receive(), undefined);
  });
}

Deno.test("unix: a sender that is killed inside a message costs that one, and no other sender", async () => {
  await using dir = folder();
  const path = `${dir.path}/in`;
  using receiver = await listen(`unix:${path}?framing=lines`, { direction: "receive" });
  const torn = await connect(`unix:${path}?framing=raw`, { direction: "send" });
  await torn.send(bytes("whole\nto"));
  torn.close();
  await using sender = await connect(`unix:${path}?framing=lines`, { direction: "send" });
  await sender.send(bytes("other"));
  const got: unknown[] = [];
  while (got.length < 3) {
    got.push(await receiver.receive({ timeout: 5000 }).then(textOf, ({ name }) => name));
  }
  assertEquals(got.toSorted(), ["TruncatedError", "other", "whole"]);
});

Deno.test("unix: an abstract name needs no file, and a program of another user a word in the address", {
  ignore: !other,
}, async () => {
  const name = `@ipc-test-${crypto.randomUUID()}`;
  using receiver = await listen(`unix:${name}?framing=lines`, { direction: "receive" });
  const asNobody = async (text: string) => {
    const script = "import socket, sys, os; os.setuid(65534); s = socket.socket(socket.AF_UNIX); " +
      "s.connect(chr(0) + sys.argv[1]); s.sendall(sys.argv[2].encode()); s.close()";
    await new Deno.Command("python3", { args: ["-c", script, name.slice(1), text], stderr: "null" }).output();
  };
  await asNobody("no\n");
  await assertRejects(() => receiver.receive({ timeout: 100 }), TimeoutError);
  receiver.close();
  using all = await listen(`unix:${name}?framing=lines&allow-user=65534`, { direction: "receive" });
  await asNobody("hello\n");
  assertEquals(textOf(await all.receive({ timeout: 5000 })), "hello");
});

Deno.test("unix-dgram: who is bound receives, and tells from whom", async () => {
  await using dir = folder();
  const address = `unix-dgram:${dir.path}/in`;
  using receiver = await listen(address, { direction: "receive" }) as UnixDatagram;
  using sender = await connect(address, { direction: "send" });
  await sender.send(bytes("hello"));
  const { data, peer, from } = (await receiver.receiveMessage())!;
  assertEquals([textOf(data), peer.pid], ["hello", Deno.pid]);
  using both = await connect(address);
  await receiver.send(bytes("answer"), { to: from });
  assertEquals(both.ended, false);
  await assertRejects(
    () => connect(address, { direction: "receive" }),
    AddressError,
    "datagrams are received by who listens there",
  );
  await assertRejects(() => listen(address, { direction: "send" }), AddressError, "nobody to send to");
});

Deno.test("unix: stat() and list() tell who listens and how many are connected", async () => {
  await using dir = folder();
  const path = `${dir.path}/my app%`;
  const address = `unix:${dir.path}/my app%25`;
  await assertRejects(() => stat(address), NotFoundError);
  const receiver = await listen(address, { direction: "receive" });
  await using sender = await connect(address, { direction: "send" });
  await sender.send(bytes("x"));
  await receiver.receive();
  const status = await stat(address) as SocketStatus;
  assertEquals([status.type, status.path, status.mode, status.uid], ["unix", path, 0o600, Deno.uid()!]);
  assertEquals([status.open, status.connections, status.holders], [true, 1, [Deno.pid]]);
  assertEquals(list(["unix"]).find((found) => found.address === address), status);
  assert(list().some((found) => found.address === address), "it needs no folder");
  assertEquals(list(["unix-seqpacket"]).filter((found) => found.address.includes(dir.path)), []);
  receiver.close();
  await assertRejects(() => stat(address), NotFoundError);
});

Deno.test(
  "unix: a name that looks like the line of another socket does not make one",
  { ignore: !python },
  async () => {
    await using dir = folder();
    const line = `0: 0 0 00010000 0001 01 1 ${dir.path}/forged`;
    const script =
      "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(chr(0) + sys.argv[1]); s.listen(); " +
      "print(1, flush=True); sys.stdin.read()";
    const server = new Deno.Command("python3", {
      args: ["-c", script, `ipc-test-${Deno.pid}\n${line}`],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const output = server.stdout.getReader();
    try {
      assert((await output.read()).value, "it listens");
      assertEquals(list(["unix"]).filter(({ address }) => address.includes(dir.path)), []);
    } finally {
      await server.stdin.close();
      await output.cancel();
      await server.status;
    }
  },
);

Deno.test("unix: what a dead process left is seen as that, and remove() removes it and nothing else", {
  ignore: !python,
}, async () => {
  await using dir = folder();
  const address = `unix:${dir.path}/dead`;
  const script = "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])";
  await new Deno.Command("python3", { args: ["-c", script, `${dir.path}/dead`] }).output();
  Deno.writeTextFileSync(`${dir.path}/file`, "");
  await assertRejects(() => remove(`unix:${dir.path}/file`), NotSupportedError);
  await assertRejects(() => stat(`unix:${dir.path}/file`), NotSupportedError);
  await assertRejects(() => remove(`unix:${dir.path}/none`), NotFoundError);
  await assertRejects(() => remove("unix:@ipc-test"), AddressError, "goes with its socket");
  assertEquals((await stat(address) as SocketStatus).open, false);
  await remove(address);
  await assertRejects(() => stat(address), NotFoundError);
});

Deno.test("unix: who listens at a path may be anybody, unless the address says who", {
  ignore: !other,
}, async () => {
  await using dir = folder();
  Deno.chmodSync(dir.path, 0o777);
  const script = "import socket, sys, os; os.setuid(65534); s = socket.socket(socket.AF_UNIX); " +
    "s.bind(sys.argv[1]); s.listen(); print(1, flush=True); sys.stdin.read()";
  const path = `${dir.path}/nobody`;
  const server = new Deno.Command("python3", {
    args: ["-c", script, path],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  })
    .spawn();
  const output = server.stdout.getReader();
  await output.read();
  try {
    (await connect(`unix:${path}`)).close();
    (await connect(`unix:${path}?allow-user=65534`)).close();
    await assertRejects(() => connect(`unix:${path}?allow-user=65533`), UntrustedError);
    await assertRejects(
      () => connect(`unix-dgram:${path}?allow-user=65534`, { direction: "send" }),
      AddressError,
      "nobody can tell whose socket",
    );
  } finally {
    await server.stdin.close();
    await output.cancel();
    await server.status;
  }
});
