/** Whoever sends descriptors that nobody wants: none stays, whatever is done with the messages. */

import { assert, assertEquals } from "@std/assert";
import { LimitError, TruncatedError } from "@ipc/core";
import { leakCheck, trackLeaks } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { bindUnixDatagram, listen, type UnixDatagram, type UnixSeqpacket, type UnixStream } from "./mod.ts";
import { closeAll } from "./_control_message.ts";
import { CEILING, TestProcess, withPath } from "./testdata/process.ts";
import { close, connect, constants, sendmsg, socket } from "./sys.ts";

leakCheck();

const SYS = JSON.stringify(new URL("sys.ts", import.meta.url).href);
const MESSAGES = scaled(10_000);

/** Sends what no friend would send: any number of descriptors, at any place of a message, again and again. */
const attacker = (type: string, path: string): string => `
  import { close, connect, constants, sendmsg, socket } from ${SYS};
  const fd = socket(constants.AF_UNIX, constants.${type});
  connect(fd, ${JSON.stringify(path)});
  let seed = 1;
  const random = (below) => (seed = (seed * 48271) % 0x7fffffff) % below;
  const counts = [0, 1, 2, 100, 252, 253];
  try {
    for (let count = 0; count < ${MESSAGES}; count++) {
      const data = new Uint8Array(1 + random(40)).fill(97);
      if (random(4) === 0) data[data.length - 1] = 10;
      if (random(8) === 0) data[0] = 10;
      sendmsg(fd, data, { rights: Array(counts[random(counts.length)]).fill(0) });
    }
  } finally {
    close(fd);
  }
  console.log("sent");`;

/** Receives in each way there is, to the end; how many messages came, or were told as too much. */
async function receiveAll(channel: UnixStream | UnixSeqpacket | UnixDatagram, most: number): Promise<number> {
  let seen = 0;
  for (; seen < most; seen++) {
    try {
      if (seen % 3 === 2) {
        if (await channel.receive(CEILING) === undefined) break;
        continue;
      }
      const message = await channel.receiveWithHandles(CEILING);
      if (message === undefined) break;
      assert(message.handles.length <= 253);
      closeAll(message.handles);
    } catch (error) {
      // The stream ended inside a line.
      if (error instanceof TruncatedError) break;
      assert(error instanceof LimitError, `${error}`);
    }
  }
  return seen;
}

for (const [scheme, type] of [["unix", "SOCK_STREAM"], ["unix-seqpacket", "SOCK_SEQPACKET"]] as const) {
  Deno.test(`${MESSAGES} hostile messages over ${scheme}: as many descriptors as before`, () =>
    withPath(async (path) => {
      const options = { framing: "lines", receiveHandles: true } as const;
      await using listener = scheme === "unix"
        ? await listen(`unix:${path}`, options)
        : await listen(`unix-seqpacket:${path}`);
      await using leaks = await trackLeaks();
      await using process = new TestProcess(attacker(type, path));
      {
        using channel: UnixStream | UnixSeqpacket | undefined = await listener.accept(CEILING);
        const seen = await receiveAll(channel!, Infinity);
        assert(scheme === "unix" ? seen > 0 : seen === MESSAGES, `${seen} messages`);
      }
      assertEquals(await process.line(), "sent");
      await process.kill();
      await process[Symbol.asyncDispose]();
      await leaks.check();
    }));
}

Deno.test(`${MESSAGES} hostile datagrams: as many descriptors as before`, () =>
  withPath(async (path) => {
    using socket = await bindUnixDatagram(path);
    await using leaks = await trackLeaks();
    await using process = new TestProcess(attacker("SOCK_DGRAM", path));
    assertEquals(await receiveAll(socket, MESSAGES), MESSAGES);
    assertEquals(await process.line(), "sent");
    await process[Symbol.asyncDispose]();
    await leaks.check();
  }));

Deno.test("handles of who is not authorised are closed unseen", () =>
  withPath(async (path) => {
    let asked = 0;
    using receiver = await bindUnixDatagram(path, { authorize: () => ++asked > 3 });
    await using leaks = await trackLeaks();
    const fd = socket(constants.AF_UNIX, constants.SOCK_DGRAM | constants.SOCK_CLOEXEC);
    try {
      connect(fd, path);
      for (let count = 0; count < 4; count++) sendmsg(fd, new Uint8Array([count]), { rights: [0, 0] });
    } finally {
      close(fd);
    }
    const message = await receiver.receiveWithHandles(CEILING);
    closeAll(message!.handles);
    assertEquals([message?.data[0], message?.handles.length, receiver.refused], [3, 2, 3]);
    await leaks.check();
  }));
