/**
 * SQLite as a queue: one transaction for each row, in WAL mode, and who waits polls each millisecond.
 *
 * `always`, `interval` and `never` are what comes nearest: `synchronous` FULL, NORMAL and OFF.
 */

import { DatabaseSync } from "node:sqlite";
import type { Figures } from "../../cli/bench/contestant.ts";
import { help, Helper, obeyLines } from "../../cli/bench/_helper.ts";
import { Wakes } from "../../cli/bench/_wakes.ts";
import { type Command, cpuTime } from "../../cli/bench/_wire.ts";

const SYNCHRONOUS: Record<string, string> = { always: "FULL", interval: "NORMAL", never: "OFF" };
const WRITERS = 4;
/** So many bytes are read back, again and again. */
const READ = 64 * 1024 * 1024;
const pause = new Int32Array(new SharedArrayBuffer(4));

/** Those that are open, by their path. */
const queues = new Map<string, Queue>();

class Queue {
  readonly #database: DatabaseSync;
  readonly #insert: ReturnType<DatabaseSync["prepare"]>;
  readonly #next: ReturnType<DatabaseSync["prepare"]>;

  constructor(path: string, synchronous: string) {
    this.#database = new DatabaseSync(path);
    this.#database.exec("PRAGMA busy_timeout = 20000");
    this.#database.exec("PRAGMA journal_mode = WAL");
    this.#database.exec(`PRAGMA synchronous = ${synchronous}`);
    this.#database.exec("CREATE TABLE IF NOT EXISTS queue (id INTEGER PRIMARY KEY, data BLOB NOT NULL)");
    this.#insert = this.#database.prepare("INSERT INTO queue (data) VALUES (?)");
    this.#next = this.#database.prepare("SELECT id, data FROM queue WHERE id > ? ORDER BY id LIMIT 1");
  }

  static open(folder: string, name: string): Queue {
    let queue = queues.get(name);
    if (queue === undefined) {
      queues.set(name, queue = new Queue(`${folder}/${name}`, SYNCHRONOUS[name] ?? "OFF"));
    }
    return queue;
  }

  append(message: Uint8Array): void {
    this.#insert.run(message);
  }

  appendMany(message: Uint8Array, count: number): void {
    this.#database.exec("BEGIN");
    for (let left = count; left > 0; left--) this.append(message);
    this.#database.exec("COMMIT");
  }

  get last(): number {
    return Number(this.#database.prepare("SELECT max(id) AS last FROM queue").get()!.last ?? 0);
  }

  /** The first one behind `id`, once it is there. */
  waitFor(id: number): { id: number; data: Uint8Array } {
    for (;;) {
      const row = this.#next.get(id);
      if (row !== undefined) return row as { id: number; data: Uint8Array };
      Atomics.wait(pause, 0, 0, 1);
    }
  }

  *rows(): Generator<Uint8Array> {
    for (const { data } of this.#database.prepare("SELECT data FROM queue ORDER BY id").iterate()) {
      yield data as Uint8Array;
    }
  }

  close(): void {
    this.#database.close();
  }
}

async function measure(
  folder: string,
  { test, size, count }: Command,
  helper: (index: number) => Helper,
): Promise<Figures> {
  const [what, how] = test.split("-");
  const message = new Uint8Array(size);
  if (what === "wake") {
    const queue = Queue.open(folder, "wake");
    using wakes = new Wakes(`${folder}/wakes`);
    wakes.begin();
    await helper(0).tell(`${test} ${size} ${count}`);
    await helper(0).answer();
    await wakes.wake(count, () => queue.append(message));
    const there: Figures = JSON.parse(await helper(0).answer());
    return { ...there, cpu: there.cpu + wakes.cpu / count };
  }
  const queue = Queue.open(folder, what === "read" ? `read-${size}` : what!);
  if (what === "read" && queue.last === 0) queue.appendMany(message, READ / size);
  const others = how === "four" ? Array.from({ length: WRITERS - 1 }, (_, index) => helper(index)) : [];
  for (const other of others) await other.tell(`${what} ${size} 0`);
  for (const other of others) await other.answer();
  const before = cpuTime();
  const began = performance.now();
  let used = 0;
  if (what === "read") {
    for (let left = count; left > 0;) {
      for (const _row of queue.rows()) if (--left === 0) break;
    }
  } else {
    const share = Math.floor(count / WRITERS);
    for (const other of others) await other.tell(`${what} ${size} ${share}`);
    for (let left = count - share * others.length; left > 0; left--) queue.append(message);
    for (const other of others) used += Number(await other.answer());
  }
  const time = performance.now() - began;
  return { nanoseconds: Math.round(time * 1e6), cpu: (cpuTime() - before + used) / count };
}

/** A process that helps: it appends its share, or waits for rows. */
function assist(folder: string, { test, size, count }: Command, ready: () => void): unknown {
  if (test === "wake") {
    using wakes = new Wakes(`${folder}/wakes`);
    const queue = Queue.open(folder, "wake");
    let { last } = queue;
    ready();
    for (let left = count; left > 0; left--) {
      last = queue.waitFor(last).id;
      wakes.come();
    }
    return wakes.figures;
  }
  const queue = Queue.open(folder, test);
  const message = new Uint8Array(size);
  const before = cpuTime();
  for (let left = count; left > 0; left--) queue.append(message);
  return cpuTime() - before;
}

if (import.meta.main) {
  const [role, folder] = Deno.args;
  if (role === "far") {
    await help((command, ready) => assist(folder!, command, ready));
  } else {
    const own = await Deno.makeTempDir({ prefix: "ipc-bench-" });
    await using helpers = new AsyncDisposableStack();
    const started: Helper[] = [];
    const args = ["run", "--quiet", "-A", import.meta.filename!, "far", own];
    const helper = (index: number) => started[index] ??= helpers.use(new Helper(Deno.execPath(), args));
    try {
      await obeyLines((command) => measure(own, command, helper));
    } finally {
      for (const queue of queues.values()) queue.close();
      await Deno.remove(own, { recursive: true });
    }
  }
}
