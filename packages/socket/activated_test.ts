import { assertEquals } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { has } from "../core/testdata/child.ts";
import { connect } from "./mod.ts";
import { bytes, CEILING, MOD, TestProcess, text, withPath } from "./testdata/process.ts";

leakCheck();

const ACTIVATE = new URL("testdata/activate.py", import.meta.url).pathname;
const noPython = !has("python3");
const manager = (names: string, ...addresses: string[]): string[] => [
  "python3",
  ACTIVATE,
  names,
  ...addresses,
  "--",
];

Deno.test({
  name: "what a service manager has opened is found by name, answers, and is passed to no child",
  ignore: noPython,
  fn: () =>
    withPath(async (path) => {
      await using service = new TestProcess(
        `import { activated, adoptListener, UnixDatagram } from ${MOD};
        const sockets = activated();
        const out = [...sockets].map(([name, fds]) => [name, fds.map(({ fd }) => fd)]);
        const again = activated() === sockets;
        const left = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"].map((name) => Deno.env.get(name) ?? null);
        const { stdout } = await new Deno.Command("ls", { args: ["/proc/self/fd"], stdout: "piped" }).output();
        const inherited = new TextDecoder().decode(stdout).split("\\n").filter((fd) => ["4", "5", "6"].includes(fd));
        console.log(JSON.stringify({ out, again, left, inherited }));
        const serve = async (listener) => {
          for await (const channel of listener) await channel.send(new TextEncoder().encode(listener.address));
        };
        serve(adoptListener("tcp", sockets.get("web")[0]));
        serve(adoptListener("unix", sockets.get("local")[0]));
        serve(adoptListener("unix-seqpacket", sockets.get("local")[1]));
        const log = new UnixDatagram(sockets.get("unknown")[0].take());
        console.log(new TextDecoder().decode(await log.receive()));`,
        {
          before: manager(
            "web:local:local:",
            "tcp:",
            `stream:${path}`,
            `seqpacket:${path}-packets`,
            `dgram:${path}-log`,
          ),
        },
      );
      const port = await service.line();
      // Before it has begun: the kernel keeps who connects until it accepts.
      await using first = await connect(`tcp:127.0.0.1:${port}`, CEILING);
      assertEquals(JSON.parse((await service.line())!), {
        out: [["web", [3]], ["local", [4, 5]], ["unknown", [6]]],
        again: true,
        left: [null, null, null],
        inherited: [],
      });
      assertEquals(text(await first.receive(CEILING)), `tcp:127.0.0.1:${port}`);
      for (const address of [`unix:${path}`, `unix-seqpacket:${path}-packets`]) {
        await using channel = await connect(address as `unix:${string}`, CEILING);
        assertEquals(text(await channel.receive(CEILING)), address);
      }
      using log = await connect(`unix-dgram:${path}-log`);
      await log.send(bytes("a line"));
      assertEquals(await service.line(), "a line");
    }),
});

Deno.test({
  name: "the datagram that lets a service begin is received where the path says who may have sent it",
  ignore: noPython,
  fn: () =>
    withPath(async (path) => {
      await using service = new TestProcess(
        `import { activated, UnixDatagram } from ${MOD};
        for (const socket of activated().get("unknown")) {
          using log = new UnixDatagram(socket.take());
          const { data, peer } = log.tryReceiveMessage() ?? { data: [], peer: {} };
          console.log(JSON.stringify([new TextDecoder().decode(new Uint8Array(data)), peer.pid, log.refused]));
          const { peer: { pid } } = await log.receiveMessage();
          console.log(pid);
        }`,
        { before: manager("-", `dgram-early-600:${path}`, `dgram-early-622:${path}-open`) },
      );
      // Later it is told who sends.
      for (const [at, early] of [[path, ["early", 0, 0]], [`${path}-open`, ["", null, 1]]] as const) {
        assertEquals(JSON.parse((await service.line())!), early);
        using log = await connect({ type: "unix-dgram", path: at });
        await log.send(bytes("later"));
        assertEquals(await service.line(), String(Deno.pid));
      }
    }),
});

const REPORT = `import { activated } from ${MOD};
  try {
    console.log(JSON.stringify([...activated()].map(([name, fds]) => [name, fds.length])));
  } catch (error) {
    console.log(error.name + ": " + error.message);
  }`;

Deno.test({
  name: "without names each is unknown",
  ignore: noPython,
  fn: () =>
    withPath(async (path) => {
      const before = manager("-", `stream:${path}`, `stream:${path}-2`);
      await using service = new TestProcess(REPORT, { before });
      assertEquals(await service.line(), '[["unknown",2]]');
    }),
});

const cases: [name: string, environment: string, answer: string | RegExp][] = [
  ["nothing passed", "A=1", "[]"],
  ["another process", "LISTEN_PID=1 LISTEN_FDS=1", "[]"],
  ["no descriptors", "LISTEN_PID=$$ LISTEN_FDS=0", "[]"],
  ["no number", "LISTEN_PID=$$ LISTEN_FDS=-1", 'UntrustedError: Cannot use LISTEN_FDS: "-1" is not a number'],
  ["no process", "LISTEN_PID=me LISTEN_FDS=1", 'UntrustedError: Cannot use LISTEN_PID: "me" is not a number'],
  [
    "more names than descriptors",
    "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=a:b",
    "UntrustedError: Cannot use LISTEN_FDNAMES: it has 2 names for 1 descriptors",
  ],
  [
    "descriptors that nobody passed",
    "LISTEN_PID=$$ LISTEN_FDS=2",
    "UntrustedError: Cannot use descriptor 3: LISTEN_FDS names it, and nobody has passed it",
  ],
];
for (const [name, environment, answer] of cases) {
  Deno.test(`activation: ${name}`, async () => {
    const before = ["sh", "-c", `exec env ${environment} "$@"`, "sh"];
    await using service = new TestProcess(REPORT, { before });
    assertEquals(await service.line(), answer);
  });
}
