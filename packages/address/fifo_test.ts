import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  AlreadyExistsError,
  MessageTooLongError,
  NotFoundError,
  TimeoutError,
  UntrustedError,
} from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { connect, type FifoStatus, list, listen, make, remove, stat } from "./mod.ts";

leakCheck();

const bytes = (text: string) => new TextEncoder().encode(text);
const textOf = (message: Uint8Array | undefined) => message && new TextDecoder().decode(message);

function folder(): { readonly path: string } & Disposable {
  const path = Deno.makeTempDirSync();
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

function exists(path: string): boolean {
  try {
    return Deno.lstatSync(path).isFifo === true;
  } catch {
    return false;
  }
}

Deno.test("connect() opens what exists, and creates nothing", async () => {
  using dir = folder();
  const address = `fifo:${dir.path}/in`;
  await assertRejects(() => connect(address, { direction: "receive" }), NotFoundError);
  await assertRejects(() => connect(address, { direction: "send" }), NotFoundError);
  assertEquals(exists(`${dir.path}/in`), false);
  await make(address);
  await using receiver = await connect(address, { direction: "receive" });
  await using sender = await connect(address, { direction: "send" });
  await sender.send(bytes("hello"));
  await sender.end();
  assertEquals(textOf(await receiver.receive()), "hello");
  assertEquals(await receiver.receive(), undefined);
});

Deno.test("connect() takes framing, time limit, signal and the longest message", async () => {
  using dir = folder();
  const address = `fifo:${dir.path}/in?framing=nul`;
  await make(address);
  await assertRejects(() => connect(address, { direction: "send", timeout: 10 }), TimeoutError);
  const stop = new AbortController();
  const pending = connect(address, { direction: "send", signal: stop.signal });
  stop.abort(new RangeError("enough"));
  await assertRejects(() => pending, RangeError, "enough");
  await using receiver = await connect(address, { direction: "receive" });
  await using sender = await connect(address, { direction: "send", maxMessageSize: 4 });
  assertEquals(sender.maxMessageSize, 4);
  await assertRejects(() => sender.send(bytes("hello")), MessageTooLongError);
  const shell = new Deno.Command("sh", { args: ["-c", `printf 'a\\nb\\0' > "$0"`, `${dir.path}/in`] })
    .spawn();
  assertEquals(textOf(await receiver.receive()), "a\nb");
  await shell.status;
});

Deno.test("keepOpen lets a receiver survive its senders", async () => {
  using dir = folder();
  const address = `fifo:${dir.path}/in`;
  await make(address);
  await using receiver = await connect(address, { direction: "receive", keepOpen: true });
  for (const word of ["one", "two"]) {
    await using sender = await connect(address, { direction: "send" });
    await sender.send(bytes(word));
    await sender.end();
    assertEquals(textOf(await receiver.receive()), word);
  }
  await assertRejects(() => receiver.receive({ timeout: 0 }), TimeoutError);
});

Deno.test("listen() creates with the mode that it is told, and removes only what it created", async () => {
  using dir = folder();
  const path = `${dir.path}/in`;
  const first = await listen(`fifo:${path}`, { direction: "receive", removeOnClose: true });
  assertEquals(Deno.lstatSync(path).mode! & 0o777, 0o600);
  const second = await listen(`fifo:${path}`, { direction: "receive", removeOnClose: true });
  second.close();
  assert(exists(path), "the second found it");
  first.close();
  first.close();
  assertEquals(exists(path), false);
  {
    await using _kept = await listen(`fifo:${path}`, { direction: "receive", mode: 0o640 });
    assertEquals(Deno.lstatSync(path).mode! & 0o777, 0o640);
  }
  assert(exists(path), "without removeOnClose it stays");
});

Deno.test("listen() leaves alone what somebody put in the place of its FIFO", async () => {
  using dir = folder();
  const path = `${dir.path}/in`;
  {
    using _receiver = await listen(`fifo:${path}`, { direction: "receive", removeOnClose: true });
    Deno.renameSync(path, `${path}.old`);
    await make(`fifo:${path}`);
  }
  assert(exists(path));
});

Deno.test("listen() removes what it created when nobody came", async () => {
  using dir = folder();
  const path = `${dir.path}/in`;
  const options = { direction: "send", removeOnClose: true } as const;
  await assertRejects(() => listen(`fifo:${path}`, { ...options, timeout: 20 }), TimeoutError);
  assertEquals(exists(path), false);
  const stop = new AbortController();
  const pending = listen(`fifo:${path}`, { ...options, signal: stop.signal });
  pending.catch(() => {});
  while (!exists(path)) await new Promise((resolve) => setTimeout(resolve, 1));
  stop.abort();
  await assertRejects(() => pending, DOMException);
  assertEquals(exists(path), false);
});

Deno.test("a FIFO that others may write into takes a word in the address", async () => {
  using dir = folder();
  const address = `fifo:${dir.path}/in`;
  await make(address, { mode: 0o622 });
  await assertRejects(() => connect(address, { direction: "receive" }), UntrustedError);
  await assertRejects(
    () => connect(`${address}?allow-writers=group`, { direction: "receive" }),
    UntrustedError,
  );
  using _receiver = await connect(`${address}?allow-writers=all`, { direction: "receive" });
});

Deno.test("make(), stat() and remove() follow the life of a FIFO", async () => {
  using dir = folder();
  const address = `fifo:${dir.path}/in`;
  for (const look of [stat, remove]) await assertRejects(() => look(address), NotFoundError);
  await make(address);
  await assertRejects(() => make(address), AlreadyExistsError);
  const before = await stat(address) as FifoStatus;
  assertEquals([before.type, before.mode, before.available], ["fifo", 0o600, 0]);
  assertEquals([before.readers, before.writers], [[], []]);
  const receiver = await connect(address, { direction: "receive" });
  const sender = await connect(`${address}?framing=raw`, { direction: "send" });
  await sender.send(bytes("12345"));
  const { available, capacity, readers, writers } = await stat(address) as FifoStatus;
  assertEquals([available, capacity], [5, 65_536]);
  assertEquals([readers, writers], [[Deno.pid], [Deno.pid]]);
  sender.close();
  receiver.close();
  await remove(address);
  await assertRejects(() => stat(address), NotFoundError);
});

Deno.test("list() finds the FIFOs below a folder, and follows no links", async () => {
  using dir = folder();
  Deno.mkdirSync(`${dir.path}/a/b`, { recursive: true });
  for (const path of ["one", "a/tw%o", "a/b/three"]) {
    assertEquals((await new Deno.Command("mkfifo", { args: [`${dir.path}/${path}`] }).output()).code, 0);
  }
  Deno.writeTextFileSync(`${dir.path}/a/file`, "");
  Deno.symlinkSync(`${dir.path}/one`, `${dir.path}/link`);
  Deno.symlinkSync(dir.path, `${dir.path}/a/loop`);
  const found = list([`fifo:${dir.path}/`]) as FifoStatus[];
  assertEquals(
    found.map(({ path }) => path),
    ["a/b/three", "a/tw%o", "one"].map((path) => `${dir.path}/${path}`),
  );
  assertEquals(found[1]!.address, `fifo:${dir.path}/a/tw%25o`);
  assertEquals(await stat(found[1]!.address), found[1]!);
});
