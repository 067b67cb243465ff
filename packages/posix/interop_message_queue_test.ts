import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { type Bytes, IpcError, NotFoundError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { MessageQueue } from "./mod.ts";
import { answer, prepared } from "./testdata/process.ts";
import { canCompile, type PeerMessage, QueuePeer, toHex } from "./testdata/queue_peer.ts";
import { CEILING, MOD, waitsEnded, withName } from "./testdata/queues.ts";

leakCheck();

const messages: { priority: number; data: Bytes }[] = [
  { priority: 0, data: Uint8Array.from({ length: 256 }, (_, byte) => byte) },
  { priority: 32_767, data: new Uint8Array() },
  { priority: 1, data: Uint8Array.of(0) },
  { priority: 2, data: new TextEncoder().encode("line\nline\r\n\0 é \0\0") },
  { priority: 7, data: Uint8Array.from({ length: 300 }, (_, index) => index * 31 >> 3) },
];
const sorted = messages.toSorted((one, other) => other.priority - one.priority);

/** A message as the program tells it. */
function told({ priority, data }: { priority: number; data: Uint8Array }): PeerMessage {
  return { priority, hex: data.byteLength === 0 ? "" : toHex(data) };
}

/** Compares all that both sides see. */
async function compare(peer: QueuePeer, queue: MessageQueue): Promise<void> {
  const { name: _name, bytes: _bytes, notifiedPid: _pid, ...status } = queue.stat();
  assertEquals(await peer.ask("status"), status);
}

const ignore = !canCompile;

Deno.test(
  "a queue that a C program created is used and unlinked by us",
  { ignore },
  () =>
    withName(async (name) => {
      await using peer = await QueuePeer.start();
      await peer.ask("create", name, 6, 300, "640");
      using queue = MessageQueue.open(name);
      assertEquals([queue.stat().mode, queue.maxMessageSize], [0o640, 300]);
      for (const { priority, data } of messages) await peer.ask("send", priority, toHex(data));
      await compare(peer, queue);
      assertEquals(queue.stat().bytes, messages.reduce((sum, { data }) => sum + data.byteLength, 0));
      for (const message of sorted) assertEquals(await queue.receiveMessage(CEILING), message);
      for (const { priority, data } of messages) queue.sendSync(data, { priority });
      await compare(peer, queue);
      for (const message of sorted) assertEquals(await peer.ask("receive"), told(message));
      queue.unlink();
      await assertRejects(() => peer.ask("open", name), Error, "No such file");
    }),
);

Deno.test(
  "a queue that we created is used and unlinked by a C program",
  { ignore },
  () =>
    withName(async (name) => {
      using queue = MessageQueue.create(name, { maxMessages: 6, maxMessageSize: 300, mode: 0o606 });
      await using peer = await QueuePeer.start();
      await peer.ask("open", name);
      await compare(peer, queue);
      for (const message of messages) {
        const received = queue.receiveMessage(CEILING);
        await peer.ask("send", message.priority, toHex(message.data));
        assertEquals(await received, message);
      }
      for (const message of messages) {
        const received = peer.ask("receive");
        await queue.send(message.data, { priority: message.priority, ...CEILING });
        assertEquals(await received, told(message));
      }
      await peer.ask("unlink", name);
      assertThrows(() => MessageQueue.open(name), NotFoundError);
      assertThrows(() => queue.unlink(), NotFoundError);
      await waitsEnded();
    }),
);

Deno.test(
  "a C program waits for room that we make, and we for its",
  { ignore },
  () =>
    withName(async (name) => {
      using queue = MessageQueue.create(name, { maxMessages: 2, maxMessageSize: 8 });
      await using peer = await QueuePeer.start();
      await peer.ask("open", name);
      while (queue.trySend(Uint8Array.of(1)));
      const sent = peer.ask("send", 3, "02");
      assertEquals(await queue.receive(CEILING), Uint8Array.of(1));
      await sent;
      assertEquals(await queue.receiveMessage(CEILING), { priority: 3, data: Uint8Array.of(2) });
      queue.sendSync(Uint8Array.of(4));
      const pending = queue.send(Uint8Array.of(5), CEILING);
      for (const hex of ["01", "04", "05"]) assertEquals((await peer.ask<PeerMessage>("receive")).hex, hex);
      await pending;
      await waitsEnded();
    }),
);

Deno.test(
  "a C program is notified by its signal of what we send, and we of what it sends",
  { ignore },
  () =>
    withName(async (name) => {
      using queue = MessageQueue.create(name, { maxMessages: 2, maxMessageSize: 8 });
      await using peer = await QueuePeer.start();
      await peer.ask("open", name);
      assertEquals(await peer.ask("notify"), 0);
      assertEquals(queue.stat().notifiedPid, peer.pid);
      await assertRejects(() => queue.notify(), IpcError, `process ${peer.pid} is registered already`);
      queue.sendSync(Uint8Array.of(1));
      assertEquals(await peer.answer(), 1);
      assertEquals(queue.receiveSync(), Uint8Array.of(1));
      const notified = queue.notify(CEILING);
      await assertRejects(() => peer.ask("notify"), Error, "busy");
      await peer.ask("send", 0, "09");
      await notified;
      await waitsEnded();
    }),
);

const mounted = prepared("mount -t mqueue none /mnt");

Deno.test({
  name: "files of the mqueue file system: the shell makes, reads and removes queues",
  ignore: mounted === undefined,
  fn: async () => {
    const told = await answer(
      `import { MessageQueue } from ${MOD};
      const shell = (command) => {
        const { stdout, success } = new Deno.Command("sh", { args: ["-c", command] }).outputSync();
        if (!success) throw new Error(command);
        return new TextDecoder().decode(stdout).trim().split(/\\s+/).join(" ");
      };
      const ours = MessageQueue.create("/ours", { maxMessages: 3, maxMessageSize: 50, mode: 0o640 });
      ours.sendSync(new Uint8Array(20));
      ours.sendSync(new Uint8Array(3));
      const told = [shell("cat /mnt/ours"), shell("stat -c %a /mnt/ours")];
      shell("rm /mnt/ours");
      try { MessageQueue.open("/ours"); } catch (error) { told.push(error.name); }
      shell("umask 077; : >/mnt/theirs");
      const theirs = MessageQueue.open("/theirs");
      theirs.sendSync(new Uint8Array(9));
      told.push(theirs.stat().mode, shell("cat /mnt/theirs"));
      console.log(JSON.stringify(told));`,
      { before: mounted },
    );
    const file = (bytes: number) => `QSIZE:${bytes} NOTIFY:0 SIGNO:0 NOTIFY_PID:0`;
    assertEquals(told, [file(23), "640", "NotFoundError", 0o600, file(9)]);
  },
});

/** util-linux knows POSIX queues since 2.42 or so; it looks at /dev/mqueue. */
function lsipcKnowsQueues(): boolean {
  try {
    const { stdout } = new Deno.Command("lsipc", { args: ["--help"] }).outputSync();
    return new TextDecoder().decode(stdout).includes("--posix-mqueues");
  } catch {
    return false;
  }
}

const inPlace = lsipcKnowsQueues() ? prepared("mount -t mqueue none /dev/mqueue") : undefined;

Deno.test({
  name: "lsipc of util-linux shows our queues",
  ignore: inPlace === undefined,
  fn: async () => {
    const shown = await answer(
      `import { MessageQueue } from ${MOD};
      using queue = MessageQueue.create("/shown", { maxMessages: 3, maxMessageSize: 50 });
      for (let count = 0; count < 2; count++) queue.sendSync(new Uint8Array(5));
      const args = ["--posix-mqueues", "--raw", "--noheadings", "--output", "NAME,MSGS"];
      console.log(JSON.stringify(new TextDecoder().decode(new Deno.Command("lsipc", { args }).outputSync().stdout)));`,
      { before: inPlace },
    );
    assert(typeof shown === "string");
    assertMatch(shown, /^\/?shown +2$/m);
  },
});
