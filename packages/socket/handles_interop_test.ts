/** Handles from and to programs in other languages. */

import { assertEquals } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { compile, has } from "../core/testdata/child.ts";
import { bindUnixDatagram, listen, type UnixSeqpacket, type UnixStream } from "./mod.ts";
import { closeAll } from "./_control_message.ts";
import { bytes, CEILING, Program, text, withPath } from "./testdata/process.ts";

leakCheck();

const PEER = new URL("testdata/handles_peer.py", import.meta.url).pathname;
/** python3 has send_fds since 3.9. */
const noPython = !has("python3") ||
  !new Deno.Command("python3", { args: ["-c", "import socket; socket.send_fds"] }).outputSync().success;

/** Writes into the end of a pipe. */
async function write(fd: number, message: string): Promise<void> {
  using file = await Deno.open(`/proc/self/fd/${fd}`, { write: true });
  await file.write(bytes(message));
}

for (const kind of ["stream", "seqpacket"] as const) {
  Deno.test({
    name: `handles to and from python: ${kind}`,
    ignore: noPython,
    fn: () =>
      withPath(async (path) => {
        const options = { framing: "lines", receiveHandles: true } as const;
        await using listener = kind === "stream"
          ? await listen(`unix:${path}`, options)
          : await listen(`unix-seqpacket:${path}`);
        await using python = new Program("python3", [PEER, kind, path]);
        using channel: UnixStream | UnixSeqpacket | undefined = await listener.accept(CEILING);
        const first = await channel!.receiveWithHandles(CEILING);
        assertEquals([text(first?.data).trim(), first?.handles.length], ["first", 0]);
        const second = await channel!.receiveWithHandles(CEILING);
        assertEquals([text(second?.data).trim(), second?.handles.length], ["a pipe", 2]);
        const [read, into] = second!.handles;
        await write(into!.fd, "through python's pipe");
        await channel!.sendHandles(bytes("back"), [read!]);
        closeAll(second!.handles);
        assertEquals(text(await channel!.receive(CEILING)).trim(), "done");
        assertEquals(await python.output(), "back through python's pipe\n");
      }),
  });
}

Deno.test({
  name: "handles to and from python: datagram",
  ignore: noPython,
  fn: () =>
    withPath(async (path) => {
      using socket = await bindUnixDatagram(path);
      await using python = new Program("python3", [PEER, "datagram", path]);
      await socket.receive(CEILING);
      const message = await socket.receiveWithHandles(CEILING);
      assertEquals([message?.from, message?.handles.length], [`${path}.py`, 2]);
      const [read, into] = message!.handles;
      await write(into!.fd, "answered");
      await socket.sendHandles(bytes("back"), [read!], { to: message!.from });
      closeAll(message!.handles);
      assertEquals(text(await socket.receive(CEILING)), "done\n");
      assertEquals(await python.output(), "back answered\n");
    }),
});

Deno.test({
  name: "handles and credentials in one control buffer, to and from C",
  ignore: !has("cc"),
  fn: () =>
    withPath(async (path) => {
      const source = new URL("testdata/handles_peer.c", import.meta.url);
      const folder = path.slice(0, path.lastIndexOf("/"));
      const program = await compile(folder, "handles_peer", await Deno.readTextFile(source));
      await using listener = await listen(`unix-seqpacket:${path}`);
      await using c = new Program(program, [path]);
      using channel = await listener.accept(CEILING);
      const message = await channel!.receiveWithHandles(CEILING);
      assertEquals([text(message?.data), message?.handles.length], ["both", 2]);
      await channel!.sendHandles(bytes("here"), [message!.handles[1]!]);
      closeAll(message!.handles);
      assertEquals(await c.output(), "here with 1\nread written in C\n");
    }),
});
