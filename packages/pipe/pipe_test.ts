import {
  assert,
  assertEquals,
  assertGreater,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  BrokenPipeError,
  type Bytes,
  ClosedError,
  ERRNO,
  IpcError,
  LimitError,
  lines,
  MessageTooLongError,
  raw,
  select,
  TimeoutError,
  TruncatedError,
} from "@ipc/core";
import { abi, bind, Descriptor, errno } from "@ipc/core/sys";
import { channelConformance, leakCheck } from "@ipc/core/testing";
import { libc } from "./_libc.ts";
import { open } from "./testdata/open.ts";
import { createPipe, PIPE_BUF, pipeDescriptors, PipeReader, PipeWriter, pumpBytes } from "./mod.ts";

/** What the kernel itself does, without this library. */
const sys = bind({
  read: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  write: { parameters: ["i32", "buffer", "usize"], result: "i32" },
});

leakCheck();

const bytes = (text: string): Bytes => new TextEncoder().encode(text);
const textOf = (data: Uint8Array | undefined): string | undefined => data && new TextDecoder().decode(data);

const childScript = { module: import.meta.resolve("./testdata/open.ts") };

channelConformance("pipe", open, { childScript });
channelConformance("pipe of packets", () => open({ packet: true }), {
  emptyMessages: false,
  truncatable: false,
  childScript,
});

Deno.test("PIPE-001: fresh pipe, write then read: same bytes in order", () => {
  const [input, output] = pipeDescriptors();
  const into = new Uint8Array(16);
  assertEquals(sys.write(output, bytes("in order"), 8n), 8);
  assertEquals(sys.read(input, into, 16n), 8);
  assertEquals(textOf(into.subarray(0, 8)), "in order");
  closeBoth(input, output);
});

Deno.test("PIPE-002: write to the reading end, read from the writing end: EBADF", () => {
  const [input, output] = pipeDescriptors();
  assertEquals(sys.write(input, bytes("x"), 1n), -1);
  assertEquals(errno(), ERRNO.EBADF);
  assertEquals(sys.read(output, new Uint8Array(1), 1n), -1);
  assertEquals(errno(), ERRNO.EBADF);
  closeBoth(input, output);
});

Deno.test("PIPE-003: all writing ends closed, read: remaining data, then 0", () => {
  const [input, output] = pipeDescriptors();
  sys.write(output, bytes("rest"), 4n);
  libc.close(output);
  assertEquals(sys.read(input, new Uint8Array(16), 16n), 4);
  assertEquals(sys.read(input, new Uint8Array(16), 16n), 0);
  libc.close(input);
});

Deno.test("PIPE-004: reading end closed: EPIPE as an error, and the process survives", async () => {
  const [input, output] = pipeDescriptors();
  libc.close(input);
  assertEquals(sys.write(output, bytes("x"), 1n), -1);
  assertEquals(errno(), ERRNO.EPIPE);
  libc.close(output);

  using pipe = createPipe();
  pipe.reader.close();
  const error = await assertRejects(() => pipe.writer.send(bytes("x")), BrokenPipeError);
  assertEquals([error.code, error.syscall], ["EPIPE", "write"]);
  assertThrows(() => pipe.writer.sendSync(bytes("x")), BrokenPipeError);
  assertThrows(() => pipe.writer.trySend(bytes("x")), BrokenPipeError);
});

Deno.test("PIPE-006: non-blocking and empty, read: EAGAIN", () => {
  const [input, output] = pipeDescriptors(abi.O_NONBLOCK);
  assertEquals(sys.read(input, new Uint8Array(1), 1n), -1);
  assertEquals(errno(), ERRNO.EAGAIN);
  closeBoth(input, output);
});

Deno.test("PIPE-007: non-blocking, under PIPE_BUF free, write PIPE_BUF: EAGAIN and nothing written", () => {
  const [input, output] = pipeDescriptors(abi.O_NONBLOCK);
  const filled = fill(output);
  const taken = sys.read(input, new Uint8Array(100), 100n);
  assertEquals(taken, 100);
  assertEquals(sys.write(output, new Uint8Array(PIPE_BUF), BigInt(PIPE_BUF)), -1);
  assertEquals(errno(), ERRNO.EAGAIN);
  assertEquals(available(input), filled - 100);
  closeBoth(input, output);
});

Deno.test("PIPE-009: the writer dies inside a frame: TruncatedError, never a short message", async () => {
  using pipe = createPipe();
  await pipe.writer.send(bytes("whole"));
  await pipe.writer.write(new Uint8Array([100, 0, 0, 0, 1, 2, 3]));
  pipe.writer.close();
  assertEquals(textOf(await pipe.reader.receive()), "whole");
  const error = await assertRejects(() => pipe.reader.receive(), TruncatedError);
  assertEquals(error.code, "ETRUNCATED");
  assertEquals(await pipe.reader.receive(), undefined);
  assert(pipe.reader.ended);
});

Deno.test("PIPE-010: default capacity 65,536; 1 MiB may be asked for", () => {
  const [input, output] = pipeDescriptors(abi.O_NONBLOCK);
  assertEquals(fill(output), 65536);
  closeBoth(input, output);
  using pipe = createPipe({ capacity: 1024 * 1024 });
  assertEquals(pipe.reader.capacity, 1024 * 1024);
  pipe.writer.capacity = 5000;
  assertEquals(pipe.reader.capacity, 8192);
  assertThrows(() => createPipe({ capacity: 0 }), RangeError, "capacity");
  assertThrows(() => pipe.writer.capacity = 1.5, RangeError, "capacity");
  pipe.writer.capacity = 65536;
  pipe.writer.writeSync(new Uint8Array(50000));
  assertThrows(() => pipe.writer.capacity = 4096, IpcError, "in use");
});

Deno.test("PIPE-012: descriptors used up: LimitError with a hint, none leaked", async () => {
  const script = `
    import { createPipe } from ${JSON.stringify(import.meta.resolve("./mod.ts"))};
    const count = () => [...Deno.readDirSync("/proc/self/fd")].length;
    const pipes = [];
    try { while (true) pipes.push(createPipe()); } catch (error) {
      console.log(error.name, error.code, error.hint !== undefined);
    }
    for (const pipe of pipes) pipe[Symbol.dispose]();
    const before = count();
    for (let i = 0; i < 5; i++) createPipe()[Symbol.dispose]();
    console.log(count() - before);
  `;
  const child = new Deno.Command("sh", {
    args: ["-c", 'ulimit -n 64; exec "$0" run -A --no-lock -', Deno.execPath()],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  await ReadableStream.from([bytes(script)]).pipeTo(child.stdin);
  const { stdout } = await child.output();
  assertEquals(textOf(stdout), "LimitError EMFILE true\n0\n");
});

Deno.test("PIPE-013: both ends are close-on-exec: a child does not see them", async () => {
  using pipe = createPipe();
  await pipe.writer.send(bytes("x"));
  const pending = pipe.reader.receive();
  await pending;
  const { stdout } = await new Deno.Command("sh", { args: ["-c", "ls -l /proc/self/fd"] }).output();
  const inode = Deno.readLinkSync(`/proc/self/fd/${pipe.reader.fd}`);
  assertStringIncludes(inode, "pipe:");
  assert(!textOf(stdout)!.includes(inode), textOf(stdout));
});

Deno.test("PIPE-014: length 0: returns 0 without blocking", async () => {
  const [input, output] = pipeDescriptors();
  assertEquals(sys.read(input, new Uint8Array(1), 0n), 0);
  assertEquals(sys.write(output, bytes("x"), 0n), 0);
  closeBoth(input, output);
  using pipe = createPipe();
  assertEquals(await pipe.writer.write(new Uint8Array(0)), 0);
  assertEquals(pipe.reader.readSync(new Uint8Array(0)), 0);
});

Deno.test("CORE-010: signals during waits (SIGCHLD, SIGWINCH, SIGUSR2): no error reaches the caller", async () => {
  const noted = () => {};
  for (const signal of ["SIGUSR2", "SIGWINCH"] as const) Deno.addSignalListener(signal, noted);
  const storm = () =>
    new Deno.Command("sh", {
      args: [
        "-c",
        'i=0; while [ $i -lt 200 ]; do kill -WINCH "$0"; kill -USR2 "$0"; /bin/true; i=$((i+1)); done',
        String(Deno.pid),
      ],
      stdin: "null",
    }).spawn();
  try {
    using pipe = createPipe();
    const pending = pipe.reader.receive();
    const children = Array.from({ length: 20 }, () => new Deno.Command("true").output());
    assertEquals((await storm().status).success, true);
    await Promise.all(children);
    await pipe.writer.send(bytes("calm"));
    assertEquals(textOf(await pending), "calm");
    // Blocking calls, for which the signals come in the middle.
    const blocking = storm();
    assertThrows(() => pipe.reader.receiveSync({ timeout: 200 }), TimeoutError);
    pipe.writer.writeSync(new Uint8Array(65536));
    assertThrows(() => pipe.writer.sendSync(bytes("x"), { timeout: 200 }), TimeoutError);
    assertEquals((await blocking.status).success, true);
  } finally {
    for (const signal of ["SIGUSR2", "SIGWINCH"] as const) Deno.removeSignalListener(signal, noted);
  }
});

Deno.test("createPipe() with packets keeps boundaries and refuses what the kernel would drop", async () => {
  using pipe = createPipe({ packet: true });
  await pipe.writer.sendBatch([bytes("one"), bytes("two"), new Uint8Array(PIPE_BUF)]);
  assertEquals(textOf(pipe.reader.receiveSync()), "one");
  assertEquals(textOf(await pipe.reader.receive()), "two");
  assertEquals(pipe.reader.tryReceive()?.byteLength, PIPE_BUF);
  await assertRejects(() => pipe.writer.send(new Uint8Array(0)), RangeError, "empty");
  await assertRejects(() => pipe.writer.send(new Uint8Array(PIPE_BUF + 1)), MessageTooLongError);
  assertThrows(() => createPipe({ packet: true, framing: lines() }), TypeError);
});

Deno.test("PipeReader reads and PipeWriter writes bytes without frames, in order with messages", async () => {
  using pipe = createPipe();
  pipe.writer.send(bytes("framed"));
  assertEquals(await pipe.writer.write(bytes("naked")), 5);
  assertEquals(pipe.reader.available, 4 + 6 + 5);
  assertEquals(textOf(await pipe.reader.receive()), "framed");
  const into = new Uint8Array(3);
  assertEquals(await pipe.reader.read(into), 3);
  assertEquals(textOf(into), "nak");
  assertEquals(pipe.reader.readSync(into), 2);
  assertEquals(textOf(into.subarray(0, 2)), "ed");
  assertEquals(pipe.writer.writeSync(bytes("end")), 3);
  await pipe.writer.end();
  assertEquals(await pipe.reader.read(into), 3);
  assertEquals(await pipe.reader.read(into), null);
  assertEquals(pipe.reader.readSync(into), null);
});

Deno.test("createPipe() with raw framing gives streams of bytes", async () => {
  await using pipe = createPipe({ framing: raw() });
  const text = "line\n".repeat(50_000);
  const sent = ReadableStream.from([bytes(text)]).pipeTo(pipe.writer.writable);
  assertEquals(await new Response(pipe.reader.readable).text(), text);
  await sent;
});

Deno.test("messages sent in one turn leave in one write", async () => {
  using pipe = createPipe();
  const sends = Array.from({ length: 100 }, (_, index) => pipe.writer.send(new Uint8Array([index])));
  assertEquals(pipe.reader.available, 0);
  await Promise.all(sends);
  assertEquals(pipe.reader.available, 500);
  const batch = await pipe.reader.receiveBatch();
  assertEquals(batch.length, 100);
  assertEquals(batch[99], new Uint8Array([99]));
});

Deno.test("a batch draws from its iterator as room comes and tells how far it came", async () => {
  using pipe = createPipe();
  let drawn = 0;
  function* messages(): Generator<Uint8Array> {
    while (true) {
      drawn++;
      yield new Uint8Array(1000);
    }
  }
  const error = await assertRejects(() => pipe.writer.sendBatch(messages(), { timeout: 50 }), IpcError);
  assertEquals(error.code, "ETIMEDOUT");
  assertGreater(error.sent!, 50);
  assert(drawn < 300, `${drawn}`);
  // What was begun follows whole.
  let received = 0;
  pipe.writer.end();
  for await (const message of pipe.reader) {
    received++;
    assertEquals(message.byteLength, 1000);
  }
  assertEquals(received, error.sent! + (error.partial ? 1 : 0));
});

Deno.test("a batch with a message that is too long sends what stands before it", async () => {
  using pipe = createPipe({ framing: lines({ maxMessageSize: 10 }) });
  const batch = [bytes("one"), bytes("two"), bytes("much too long"), bytes("four")];
  const error = await assertRejects(() => pipe.writer.sendBatch(batch), MessageTooLongError);
  assertEquals(error.sent, 2);
  const broken = [bytes("three"), bytes("fo\nur"), bytes("five")];
  const refused = await assertRejects(() => pipe.writer.sendBatch(broken), TypeError);
  assertEquals((refused as { sent?: number }).sent, 1);
  await pipe.writer.end();
  assertEquals((await pipe.reader.receiveBatch()).map(textOf), ["one", "two", "three"]);
});

Deno.test("a wrong message is refused before anything is written", async () => {
  using pipe = createPipe();
  await assertRejects(() => pipe.writer.send("text" as unknown as Uint8Array), TypeError, "Uint8Array");
  await assertRejects(
    () => pipe.writer.sendBatch([undefined as unknown as Uint8Array]),
    TypeError,
    "Uint8Array",
  );
  await assertRejects(() => pipe.reader.receive({ timeout: -1 }), RangeError, "timeout");
  await assertRejects(() => pipe.reader.receive({ timeout: NaN }), RangeError, "timeout");
  assertEquals(pipe.reader.available, 0);
});

Deno.test("a claimed length over the limit is refused before memory is taken for it", async () => {
  using pipe = createPipe();
  await pipe.writer.write(new Uint8Array([255, 255, 255, 255]));
  await assertRejects(() => pipe.reader.receive(), MessageTooLongError);
  assertEquals(await pipe.reader.receive(), undefined);
});

Deno.test("too many bytes that nobody awaits are refused", async () => {
  using pipe = createPipe({ maxQueuedBytes: 300_000 });
  const results = Array.from({ length: 10 }, () => pipe.writer.send(new Uint8Array(100_000)));
  const settled = Promise.allSettled(results);
  await assertRejects(() => results[9]!, LimitError, "300000");
  pipe.writer.close();
  const reasons = (await settled).map((result) => result.status === "rejected" ? result.reason : undefined);
  assert(reasons.some((reason) => reason instanceof ClosedError));
});

Deno.test("pumpBytes() twice into one output that is full: both go on when there is room", async () => {
  using first = createPipe();
  using second = createPipe();
  using output = createPipe();
  const pumps = [first, second].map(({ reader }) => pumpBytes(reader, output.writer));
  const sending = Promise.all([first, second].map(async ({ writer }) => {
    for (let count = 0; count < 40; count++) await writer.send(new Uint8Array(8000));
    await writer.end();
  }));
  // Until the output is full, and both wait for it.
  await new Promise((resolve) => setTimeout(resolve, 100));
  const room = new Uint8Array(65_536);
  let total = 0;
  while (total < 2 * 40 * 8004) total += (await output.reader.read(room, { timeout: 20_000 }))!;
  await sending;
  assertEquals(await Promise.all(pumps), [40 * 8004, 40 * 8004]);
});

Deno.test("pumpBytes() ends when an end is closed, and who gets the number next waits undisturbed", async () => {
  using output = createPipe();
  const input = createPipe();
  const { fd } = input.reader;
  const pumping = assertRejects(() => pumpBytes(input.reader, output.writer), ClosedError);
  await new Promise((resolve) => setTimeout(resolve, 20));
  input.reader.close();
  await pumping;
  using next = createPipe();
  assertEquals(next.reader.fd, fd);
  const waiting = next.reader.receive();
  await next.writer.send(bytes("x"));
  assertEquals(textOf(await waiting), "x");
  input.writer.close();
});

Deno.test("bytes are not read past a message that select has looked at", async () => {
  using one = createPipe();
  using other = createPipe();
  const selected = select({ one: one.reader, other: other.reader });
  await new Promise((resolve) => setTimeout(resolve, 20));
  one.writer.trySend(bytes("a"));
  other.writer.trySend(bytes("b"));
  const { from } = await selected;
  const [loser, winner] = from === "one" ? [other, one] : [one, other];
  const rest = [loser.reader.read(new Uint8Array(10)), pumpBytes(loser.reader, winner.writer)];
  for (const each of rest) await assertRejects(() => each, IpcError, "looked at");
  assertThrows(() => loser.reader.readSync(new Uint8Array(10)), IpcError, "looked at");
  assertEquals(textOf(await loser.reader.receive()), from === "one" ? "b" : "a");
});

Deno.test("pumpBytes() moves bytes within the kernel, what was read ahead first", async () => {
  using a = createPipe();
  using b = createPipe();
  const big = crypto.getRandomValues(new Uint8Array(60_000));
  const messages = Array.from({ length: 50 }, () => big);
  const sent = a.writer.sendBatch([bytes("first"), bytes("ahead"), ...messages]).then(() => a.writer.end());
  assertEquals(textOf(await a.reader.receive()), "first");
  const pumped = pumpBytes(a.reader, b.writer).then(async (count) => (await b.writer.end(), count));
  assertEquals(textOf(await b.reader.receive()), "ahead");
  let received = 0;
  for await (const message of b.reader) {
    assertEquals(message, big);
    received++;
  }
  await sent;
  assertEquals(received, 50);
  assertEquals(await pumped, 9 + 50 * 60_004);
});

Deno.test("pumpBytes() can be aborted while either side is not ready", async () => {
  using a = createPipe();
  using b = createPipe();
  const stop = new AbortController();
  const waiting = pumpBytes(a.reader, b.writer, { signal: stop.signal });
  await a.writer.send(bytes("through"));
  assertEquals(textOf(await b.reader.receive()), "through");
  const reason = new Error("enough");
  stop.abort(reason);
  assertEquals(await assertRejects(() => waiting), reason);
});

Deno.test("an end can be made from a descriptor of one's own", async () => {
  const [input, output] = pipeDescriptors();
  await using reader = new PipeReader(new Descriptor(input), lines());
  await using writer = new PipeWriter(new Descriptor(output), { framing: lines() });
  await writer.send(bytes("a line"));
  assertEquals(textOf(await reader.receive({ timeout: 2000 })), "a line");
  assertInstanceOf(reader, PipeReader);
});

function closeBoth(input: number, output: number): void {
  libc.close(input);
  libc.close(output);
}

function fill(fd: number): number {
  let total = 0;
  for (let count = 0; count >= 0; count = sys.write(fd, new Uint8Array(4096), 4096n)) total += count;
  return total;
}

function available(fd: number): number {
  const count = new Int32Array(1);
  libc.ioctl(fd, BigInt(abi.FIONREAD), count);
  return count[0]!;
}
