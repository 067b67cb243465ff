/** What a process of ours does that is measured with a log: it appends, alone and beside others, reads back, and wakes. */

import { FileLog, type FileLogWriter, type FsyncPolicy } from "@ipc/file";
import { help, Helper, obeyLines } from "./_helper.ts";
import { Wakes } from "./_wakes.ts";
import { type Command, cpuTime, TOGETHER } from "./_wire.ts";
import type { Figures } from "./contestant.ts";

/** How many processes append at once, where not one does. */
const WRITERS = 4;
/** A log that is appended to keeps about so many bytes. */
const KEPT = 64 * 1024 * 1024;
/** So many bytes are read back, again and again. */
const READ = 64 * 1024 * 1024;

/** Whoever has one of this log already appends with that. */
const writers = new Map<string, FileLogWriter>();

function writerOf(path: string, fsync: FsyncPolicy): FileLogWriter {
  let writer = writers.get(path);
  if (writer === undefined) {
    using log = FileLog.openOrCreate(path, { fsync, retain: { bytes: KEPT } });
    writers.set(path, writer = log.writer());
  }
  return writer;
}

/** Runs as `near file-log PROGRAM [ARGUMENT…]`, where PROGRAM is what helps, or as `far file-log FOLDER`. */
export async function logWork([role, _, ...rest]: readonly string[]): Promise<void> {
  if (role === "far") {
    const [folder] = rest;
    return await help((command, ready) => assist(folder!, command, ready));
  }
  const [program, ...args] = rest;
  const folder = await Deno.makeTempDir({ prefix: "ipc-bench-" });
  await using helpers = new AsyncDisposableStack();
  const started: Helper[] = [];
  const helper = (index: number) => {
    return started[index] ??= helpers.use(new Helper(program!, [...args, folder]));
  };
  try {
    await obeyLines((command) => measure(folder, command, helper));
  } finally {
    for (const writer of writers.values()) writer.close();
    await Deno.remove(folder, { recursive: true });
  }
}

/** `helper` gives one of the processes that help, which is started when it is first asked for. */
async function measure(
  folder: string,
  command: Command,
  helper: (index: number) => Helper,
): Promise<Figures> {
  const { test, size, count } = command;
  const [what, how] = test.split("-");
  if (what === "wake") return await measureWakes(folder, command, helper(0));
  if (what === "read") return await readBack(readable(folder, size), how!, count);
  if (how === "four") return await appendTogether(folder, command, helper);
  const writer = writerOf(`${folder}/${what}`, what as FsyncPolicy);
  const message = new Uint8Array(size);
  return await timed(count, async () => {
    if (how === "sync") {
      for (let left = count; left > 0; left--) writer.sendSync(message);
    } else if (how === "await") {
      for (let left = count; left > 0; left--) await writer.send(message);
    } else {
      for (let left = count; left > 0; left -= TOGETHER) {
        await writer.sendBatch(Array<Uint8Array>(Math.min(left, TOGETHER)).fill(message));
      }
    }
  });
}

/** A process that helps: it appends its share, or waits to be woken. */
async function assist(folder: string, { test, size, count }: Command, ready: () => void): Promise<unknown> {
  const [what, how] = test.split("-");
  if (what === "wake") {
    using wakes = new Wakes(`${folder}/wakes`);
    using log = FileLog.open(`${folder}/wake`);
    using reader = log.reader({ from: "end" });
    ready();
    for (let left = count; left > 0; left--) {
      if (how === "sync") reader.receiveSync();
      else await reader.receive();
      wakes.come();
    }
    return wakes.figures;
  }
  const writer = writerOf(`${folder}/${what}`, what as FsyncPolicy);
  const message = new Uint8Array(size);
  const before = cpuTime();
  for (let left = count; left > 0; left--) writer.sendSync(message);
  return cpuTime() - before;
}

/** Each of four processes appends its share, blocking, at the same time. */
async function appendTogether(
  folder: string,
  { test, size, count }: Command,
  helper: (index: number) => Helper,
): Promise<Figures> {
  const [policy] = test.split("-");
  const writer = writerOf(`${folder}/${policy}`, policy as FsyncPolicy);
  const others = Array.from({ length: WRITERS - 1 }, (_, index) => helper(index));
  // They are there, and have opened the log.
  for (const other of others) await other.tell(`${policy} ${size} 0`);
  for (const other of others) await other.answer();
  const share = Math.floor(count / WRITERS);
  let used = 0;
  const { nanoseconds, cpu } = await timed(count, async () => {
    for (const other of others) await other.tell(`${policy} ${size} ${share}`);
    const message = new Uint8Array(size);
    for (let left = count - share * others.length; left > 0; left--) writer.sendSync(message);
    for (const other of others) used += Number(await other.answer());
  });
  return { nanoseconds, cpu: cpu + used / count };
}

/** A log that has been written. */
function readable(folder: string, size: number): FileLog {
  const path = `${folder}/read-${size}`;
  try {
    return FileLog.open(path);
  } catch {
    const log = FileLog.create(path, { fsync: "never" });
    using writer = log.writer();
    for (let left = READ; left > 0; left -= size) writer.sendSync(new Uint8Array(size));
    return log;
  }
}

/** Reads so many records, from the first one on, and again. */
async function readBack(opened: FileLog, how: string, count: number): Promise<Figures> {
  using log = opened;
  using reader = log.reader();
  const { last } = log.stat();
  return await timed(count, async () => {
    for (let left = count, number = 0; left > 0; left--) {
      if (number++ === last) {
        reader.seek("start");
        number = 1;
      }
      if (how === "sync") reader.receiveSync();
      else await reader.receive();
    }
  });
}

async function measureWakes(
  folder: string,
  { test, size, count }: Command,
  helper: Helper,
): Promise<Figures> {
  const writer = writerOf(`${folder}/wake`, "never");
  using wakes = new Wakes(`${folder}/wakes`);
  wakes.begin();
  await helper.tell(`${test} ${size} ${count}`);
  await helper.answer(); // It has opened the log.
  const message = new Uint8Array(size);
  await wakes.wake(count, () => writer.sendSync(message));
  const there: Figures = JSON.parse(await helper.answer());
  return { ...there, cpu: there.cpu + wakes.cpu / count };
}

async function timed(count: number, work: () => Promise<void>): Promise<Figures> {
  const before = cpuTime();
  const began = performance.now();
  await work();
  const time = performance.now() - began;
  return { nanoseconds: Math.round(time * 1e6), cpu: (cpuTime() - before) / count };
}
