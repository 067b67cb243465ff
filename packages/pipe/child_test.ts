import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  type Bytes,
  contentLength,
  NotFoundError,
  PermissionError,
  text,
  TruncatedError,
  typed,
} from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { parentChannel, spawnWithChannel } from "./mod.ts";

leakCheck();

const bytes = (value: string): Bytes => new TextEncoder().encode(value);
const textOf = (data: Uint8Array | undefined): string | undefined => data && new TextDecoder().decode(data);
const module = JSON.stringify(import.meta.resolve("./mod.ts"));

/** Starts a Deno child that runs `script` with `channel` as its end. */
function child(script: string, more: string[] = []) {
  return spawnWithChannel(Deno.execPath(), {
    args: [
      "eval",
      ...more,
      `import { parentChannel } from ${module}; const channel = parentChannel(); ${script}`,
    ],
  });
}

Deno.test("spawnWithChannel() gives a Deno child a duplex channel, and end() is its end of input", async () => {
  const { process, channel } = child(`
    let total = 0;
    for await (const message of channel) { total += message.length; await channel.send(message); }
    await channel.send(new TextEncoder().encode("total " + total));
    await channel.end();
  `);
  const sizes = [0, 1, 64, 4096, 65_536, 1_000_000];
  for (const size of sizes) {
    const message = crypto.getRandomValues(new Uint8Array(Math.min(size, 65_536)));
    const whole = new Uint8Array(size).fill(7);
    whole.set(message.subarray(0, size));
    await channel.send(whole);
    assertEquals(await channel.receive(), whole);
  }
  await channel.end();
  assertEquals(textOf(await channel.receive()), `total ${sizes.reduce((sum, size) => sum + size)}`);
  assertEquals(await channel.receive(), undefined);
  assertEquals((await process.status).code, 0);
  channel.close();
});

Deno.test("a Deno child that ends its direction is seen to, while it goes on", async () => {
  const { process, channel } = child(`
    await channel.send(new Uint8Array([1]));
    await channel.end();
    for await (const _ of channel);
  `);
  assertEquals(await channel.receive(), new Uint8Array([1]));
  // Only our own end lets the child finish.
  assertEquals(await channel.receive(), undefined);
  await channel.end();
  assertEquals((await process.status).success, true);
  channel.close();
});

Deno.test("spawnWithChannel() works in the synchronous forms", async () => {
  const { process, channel } = child(`
    for (let m; (m = channel.receiveSync()) !== undefined;) channel.sendSync(m);
    channel.close();
  `);
  for (let round = 0; round < 100; round++) {
    channel.sendSync(new Uint8Array([round]));
    assertEquals(channel.receiveSync(), new Uint8Array([round]));
  }
  await channel.end();
  assertEquals(channel.receiveSync(), undefined);
  assertEquals((await process.status).success, true);
  channel.close();
});

Deno.test("a child inherits its two descriptors and nothing else of ours, and its own children none", async () => {
  const before = openPipes();
  const first = child("for await (const _ of channel);");
  const { process, channel } = child(`
    const list = async () => {
      const { stdout } = await new Deno.Command("sh", {
        args: ["-c", "ls -l /proc/self/fd; echo variable=$IPC_CHANNEL"],
      }).output();
      return new TextDecoder().decode(stdout);
    };
    await channel.send(new TextEncoder().encode(await list()));
    channel.close();
  `);
  const listing = textOf(await channel.receive())!;
  const ours = [...new Set(openPipes())].filter((pipe) => !before.includes(pipe));
  assertEquals(ours.length, 4);
  for (const pipe of ours) assert(!listing.includes(pipe), listing);
  assertMatch(listing, /variable=\n/);
  assertEquals((await process.status).success, true);
  channel.close();
  await first.channel.end();
  assertEquals((await first.process.status).success, true);
  first.channel.close();
});

Deno.test("spawnWithChannel() speaks to a foreign program over stdin and stdout, and end() lets it finish", async () => {
  const { process, channel } = spawnWithChannel("sort", { args: ["-r"], stdio: true, env: { LC_ALL: "C" } });
  await using words = typed(channel, text);
  await words.sendBatch(["b", "c", "", "a"]);
  await words.end();
  const sorted: string[] = [];
  for await (const word of words) sorted.push(word);
  assertEquals(sorted, ["c", "b", "a", ""]);
  assertEquals(await process.status, { success: true, code: 0, signal: null });
});

Deno.test("a foreign program may use the descriptors that IPC_CHANNEL names, with any framing", async () => {
  const script = 'test "$IPC_CHANNEL" = 3,4 && printf "Content-Length: 2\\r\\n\\r\\nhi" >&4 && cat <&3 >&4';
  const { process, channel } = spawnWithChannel("sh", { args: ["-c", script], framing: contentLength() });
  assertEquals(textOf(await channel.receive()), "hi");
  await channel.send(bytes("and back"));
  assertEquals(textOf(await channel.receive()), "and back");
  await channel.end();
  assertEquals((await process.status).success, true);
  channel.close();
});

Deno.test("a child killed inside a message is told as TruncatedError", async () => {
  const { process, channel } = spawnWithChannel("sh", {
    args: ["-c", "printf '\\005\\0\\0\\0whole\\100\\0\\0\\0part' >&4; exec sleep 1000"],
  });
  assertEquals(textOf(await channel.receive()), "whole");
  const pending = assertRejects(() => channel.receive(), TruncatedError);
  process.kill("SIGKILL");
  await pending;
  assertEquals(await channel.receive(), undefined);
  assertEquals(await process.status, { success: false, code: 137, signal: "SIGKILL" });
  channel.close();
});

Deno.test("spawnWithChannel() says at once that a program cannot be started", () => {
  const missing = assertThrows(() => spawnWithChannel("/no/such/program"), NotFoundError);
  assertStringIncludes(missing.message, 'Cannot start "/no/such/program"');
  assertThrows(() => spawnWithChannel("no-such-program-on-the-path"), NotFoundError);
  assertThrows(() => spawnWithChannel("/etc/passwd"), PermissionError);
});

Deno.test("a signal ends the child; output may be piped; the environment may be cleared", async () => {
  const stop = new AbortController();
  const { process, channel } = spawnWithChannel("/bin/sh", {
    args: ["-c", 'echo "$HOME$GREETING"; echo late >&2; exec sleep 1000'],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    clearEnv: true,
    env: { GREETING: "hello", PATH: "/usr/bin:/bin" },
    signal: stop.signal,
  });
  const output = process.stdout!.getReader();
  assertEquals(textOf((await output.read()).value), "hello\n");
  stop.abort();
  assertEquals((await process.status).signal, "SIGTERM");
  assertEquals((await output.read()).done, true);
  assertEquals(await new Response(process.stderr!).text(), "late\n");
  channel.close();
});

Deno.test("parentChannel() throws in a process that was started without one", () => {
  const error = assertThrows(() => parentChannel(), NotFoundError);
  assertEquals(error.target, "IPC_CHANNEL");
});

Deno.test("stdioChannel() speaks lines over standard input and output and leaves their mode alone", async () => {
  const script = `
    import { stdioChannel } from ${module};
    await using channel = stdioChannel();
    for await (const line of channel) await channel.send(line.toReversed());
  `;
  const { process, channel } = spawnWithChannel(Deno.execPath(), { args: ["eval", script], stdio: true });
  await using words = typed(channel, text);
  await words.send("live");
  assertEquals(await words.receive(), "evil");
  await words.sendBatch(["", "x".repeat(100_000) + "y"]);
  assertEquals(await words.receive(), "");
  assertEquals((await words.receive())!.slice(0, 2), "yx");
  await words.end();
  assertEquals(await words.receive(), undefined);
  assertEquals((await process.status).success, true);
});

Deno.test("stdioChannel() reads a file and writes a file", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/in`, "one\ntwo\n");
  const script = `
    import { stdioChannel } from ${module};
    await using channel = stdioChannel();
    for await (const line of channel) await channel.send(line);
    channel.sendSync(new TextEncoder().encode("end"));
  `;
  const status = await new Deno.Command("sh", {
    args: ["-c", `exec "$0" eval "$1" < "$2/in" > "$2/out"`, Deno.execPath(), script, folder],
  }).spawn().status;
  assertEquals(status.code, 0);
  assertEquals(await Deno.readTextFile(`${folder}/out`), "one\ntwo\nend\n");
  await Deno.remove(folder, { recursive: true });
});

/** What this process has open of pipes, as the kernel names them. */
function openPipes(): string[] {
  return [...Deno.readDirSync("/proc/self/fd")].flatMap(({ name }) => {
    try {
      return [Deno.readLinkSync(`/proc/self/fd/${name}`)];
    } catch {
      return [];
    }
  }).filter((link) => link.startsWith("pipe:"));
}
