/** Programs in other languages at the other end. */

import { assert, assertEquals } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { compile, has } from "../core/testdata/child.ts";
import { bindUnixDatagram, connect, listen } from "./mod.ts";
import { bytes, CEILING, exists, Program, text, until, withPath } from "./testdata/process.ts";

leakCheck();

const PEER = new URL("testdata/unix_peer.py", import.meta.url).pathname;

for (
  const [name, args] of [["socat", (path: string) => ["-", `UNIX-CONNECT:${path}`]], [
    "nc",
    (path: string) => ["-N", "-U", path],
  ]] as const
) {
  Deno.test({
    name: `${name} connects, and lines, texts that end in NUL and bytes go both ways`,
    ignore: !has(name),
    fn: async () => {
      for (
        const [framing, sent, end] of [["lines", ["one", "", "two"], "\n"], [
          "nul",
          ["a", "b\nc"],
          "\0",
        ]] as const
      ) {
        await withPath(async (path) => {
          using listener = await listen({ type: "unix", path }, { framing });
          await using program = new Program(name, args(path));
          await program.feed(sent.map((message) => message + end).join(""));
          await using channel = await listener.accept(CEILING);
          const received: string[] = [];
          for await (const message of channel!) received.push(text(message));
          assertEquals(received, [...sent]);
          for (const message of sent) await channel!.send(bytes(message));
          await channel!.end();
          assertEquals(await program.output(), sent.map((message) => message + end).join(""));
        });
      }
      await withPath(async (path) => {
        using listener = await listen({ type: "unix", path }, { framing: "raw" });
        await using program = new Program(name, args(path));
        await program.feed("bytes as they are");
        await using channel = await listener.accept(CEILING);
        let received = "";
        for await (const piece of channel!) received += text(piece);
        assertEquals(received, "bytes as they are");
        await channel!.send(bytes("back"));
        await channel!.end();
        assertEquals(await program.output(), "back");
      });
    },
  });
}

for (
  const [name, args] of [["socat", (path: string) => [`UNIX-LISTEN:${path}`, "-"]], [
    "nc",
    (path: string) => ["-N", "-l", "-U", path],
  ]] as const
) {
  Deno.test({
    name: `${name} listens, and a channel connects`,
    ignore: !has(name),
    fn: () =>
      withPath(async (path) => {
        await using program = new Program(name, args(path));
        await until(() => exists(path), "that the program listens");
        await using channel = await connectWhenListening(path);
        await channel.send(bytes("question"));
        await program.feed("answer\n", "more");
        assertEquals(text(await channel.receive(CEILING)), "answer");
        await channel.end();
        assertEquals(await program.output(), "question\n");
      }),
  });
}

/** Between bind and listen of a program a connection is refused. */
async function connectWhenListening(path: string) {
  for (const end = performance.now() + CEILING.timeout;;) {
    try {
      return await connect({ type: "unix", path }, { framing: "lines" });
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

Deno.test({
  name: "socat meets a channel at an abstract name, from either side",
  ignore: !has("socat"),
  fn: async () => {
    const name = `ipc-test-${crypto.randomUUID()}`;
    using listener = await listen({ type: "unix", path: `@${name}` }, { framing: "lines", sameUser: true });
    await using program = new Program("socat", ["-", `ABSTRACT-CONNECT:${name}`]);
    await program.feed("hello\n");
    await using channel = await listener.accept(CEILING);
    assertEquals(text(await channel!.receive(CEILING)), "hello");
    await channel!.send(bytes("welcome"));
    await channel!.end();
    assertEquals(await program.output(), "welcome\n");
    const other = `${name}-2`;
    await using server = new Program("socat", [`ABSTRACT-LISTEN:${other}`, "-"]);
    await until(
      () => Deno.readTextFileSync("/proc/net/unix").includes(` @${other}\n`),
      "that the program listens",
    );
    await using client = await connectWhenListening(`@${other}`);
    await client.send(bytes("hello"));
    await client.end();
    assertEquals(await server.output(), "hello\n");
  },
});

Deno.test({
  name: "socat and a channel send each other datagrams",
  ignore: !has("socat"),
  fn: () =>
    withPath(async (path) => {
      using server = await bindUnixDatagram(path);
      await using program = new Program("socat", ["-", `UNIX-SENDTO:${path},bind=${path}.back`]);
      await program.feed("question", "more");
      const { data, from } = (await server.receiveMessage(CEILING))!;
      assertEquals([text(data), from], ["question", `${path}.back`]);
      await server.send(bytes("answer"), { to: from });
      await program.feed("done");
      assertEquals(text(await server.receive(CEILING)), "done");
      assertEquals(await program.output(), "answer");
      await using receiver = new Program("socat", ["-u", `UNIX-RECV:${path}.in`, "-"]);
      await until(() => exists(`${path}.in`), "that the program receives");
      using client = await connect({ type: "unix-dgram", path: `${path}.in` });
      await client.send(bytes("one\n"));
      await client.send(bytes("two\n"));
      const reader = receiver.lines();
      assertEquals([await reader(), await reader()], ["one", "two"]);
    }),
});

Deno.test({
  name: "python's socket drives a server over seqpacket, and serves a channel",
  ignore: !has("python3"),
  fn: () =>
    withPath(async (path) => {
      {
        using listener = await listen({ type: "unix-seqpacket", path });
        await using program = new Program("python3", [PEER, "ask", path]);
        await using channel = await listener.accept(CEILING);
        assertEquals(channel!.peer().uid, Deno.uid());
        for await (const message of channel!) await channel!.send(message.toReversed());
        assertEquals(await program.output(), "['cba', '', '0000000000 x 20000']\n");
      }
      await using program = new Program("python3", [PEER, "serve", path]);
      const lines = program.lines();
      assertEquals(await lines(), "listening");
      await using channel = await connect({ type: "unix-seqpacket", path });
      await channel.sendBatch([bytes("ab"), new Uint8Array(0), bytes("c")]);
      await channel.end();
      for (const expected of ["AB", "", "C"]) assertEquals(text(await channel.receive(CEILING)), expected);
      assertEquals(await channel.receive(CEILING), undefined);
    }),
});

Deno.test({
  name: "python's socket and a channel send each other datagrams",
  ignore: !has("python3"),
  fn: () =>
    withPath(async (path) => {
      using server = await bindUnixDatagram(path);
      await using program = new Program("python3", [PEER, "datagram", path]);
      const { from } = (await server.receiveMessage(CEILING))!;
      assertEquals(from, `${path}.py`);
      for (const word of ["one", "", "two"]) await server.send(bytes(word), { to: from });
      assertEquals(await program.output(), "['one', '', 'two']\n");
    }),
});

Deno.test({
  name: "a program in C passes its credentials and gets those of a channel",
  ignore: !has("cc"),
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      const source = await Deno.readTextFile(new URL("testdata/unix_peer.c", import.meta.url));
      const peer = await compile(folder, "peer", source);
      const path = `${folder}/socket`;
      {
        using listener = await listen({ type: "unix-seqpacket", path });
        await using program = new Program(peer, ["connect", path]);
        await using channel = await listener.accept(CEILING);
        assertEquals(text(await channel!.receive(CEILING)), `pid ${channel!.peer().pid}`);
        await channel!.send(bytes("0123456789"));
        await channel!.send(new Uint8Array(0));
        await channel!.end();
        const { pid } = channel!.peer();
        assert(pid !== Deno.pid);
        assertEquals(await program.output(), `from ${Deno.pid}: 10 bytes\nfrom ${Deno.pid}: 0 bytes\nend\n`);
      }
      await using program = new Program(peer, ["listen", path]);
      const lines = program.lines();
      assertEquals(await lines(), "listening");
      await using channel = await connect({ type: "unix-seqpacket", path });
      assertEquals(text(await channel.receive(CEILING)), `pid ${channel.peer().pid}`);
      await channel.send(bytes("abc"));
      await channel.end();
      assertEquals(await lines(), `from ${Deno.pid}: 3 bytes`);
      assertEquals(await lines(), "end");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

for (
  const [option, name] of [["--unix-socket", ""], [
    "--abstract-unix-socket",
    `@ipc-test-${crypto.randomUUID()}`,
  ]]
) {
  Deno.test({
    name: `curl ${option} speaks HTTP to a channel of lines`,
    ignore: !has("curl"),
    fn: () =>
      withPath(async (folder) => {
        const path = name || folder;
        const sameUser = name === "" ? undefined : true;
        using listener = await listen({ type: "unix", path }, { framing: "lines", sameUser });
        const to = [option!, path.replace("@", ""), "http://localhost/"];
        await using curl = new Program("curl", ["--silent", "--show-error", ...to]);
        using server = (await listener.accept(CEILING))!;
        assertEquals(text(await server.receive(CEILING)), "GET / HTTP/1.1\r");
        while ((await server.receive(CEILING))!.length > 1);
        await server.sendBatch(["HTTP/1.1 200 OK\r", "content-length: 6\r", "\r", "hello"].map(bytes));
        assertEquals(await curl.output(), "hello\n");
      }),
  });
}
