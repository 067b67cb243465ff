/** A contestant at work: its process, what it is told and what it answers. */

import { removeObjectsOf } from "./_leavings.ts";
import type { Contestant, Figures } from "./contestant.ts";

/** How long a contestant may take to start, and to end, in milliseconds. */
const PATIENCE = { start: 15_000, stop: 2_000 };
/** What is kept of its standard error, in characters. */
const COMPLAINTS = 4096;

/** What one says first. */
interface Ready {
  readonly ready: boolean;
  readonly pids: readonly number[];
  readonly maxMessageSize?: number;
}

/** What all contestants have in common. */
export interface Surroundings {
  /** The command that starts commands, such as taskset. */
  readonly prefix: readonly string[];
  /** Where they keep their files; who is killed leaves some. */
  readonly folder: string;
  /** Ends everything. */
  readonly signal: AbortSignal;
}

/** A process that measures. It is ended by `stop`, with the processes that it has started. */
export class Contender {
  readonly contestant: Contestant;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #complaints: Promise<string>;
  #rest = "";
  #pids: readonly number[] = [];
  #maxMessageSize = Infinity;
  #failed = false;

  private constructor(contestant: Contestant, { prefix, folder }: Surroundings) {
    this.contestant = contestant;
    const [command, ...args] = [...prefix, contestant.command, ...contestant.args];
    this.#child = new Deno.Command(command!, {
      args,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      env: { NO_COLOR: "1", TMPDIR: folder },
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#complaints = collect(this.#child.stderr);
  }

  /** Starts one. */
  static async start(contestant: Contestant, surroundings: Surroundings): Promise<Contender> {
    const contender = new Contender(contestant, surroundings);
    const { signal } = surroundings;
    try {
      const { ready, pids, maxMessageSize = Infinity } = await contender.#answer<Ready>(
        PATIENCE.start,
        signal,
      );
      if (!ready) throw new Error("it does not say that it is ready");
      contender.#pids = pids;
      contender.#maxMessageSize = maxMessageSize;
      return contender;
    } catch (error) {
      await contender.stop();
      throw error;
    }
  }

  /** The most bytes of its messages. */
  get maxMessageSize(): number {
    return this.#maxMessageSize;
  }

  /** Whether it can be asked for more. */
  get usable(): boolean {
    return !this.#failed;
  }

  /** Lets it measure; throws if it cannot. `deadline`, in milliseconds, is for all of it. */
  async measure(
    test: string,
    size: number,
    count: number,
    deadline: number,
    signal: AbortSignal,
  ): Promise<Figures> {
    try {
      await this.#input.write(new TextEncoder().encode(`${test} ${size} ${count}\n`));
    } catch {
      // It has ended; why, its standard error says.
    }
    const answer = await this.#answer<Figures | { error: string }>(deadline, signal);
    if ("error" in answer) throw new Error(answer.error);
    return answer;
  }

  /** Ends it: kindly first. */
  async stop(): Promise<void> {
    const kind = await settled(this.#input.close(), PATIENCE.stop) && !this.#failed &&
      await settled(this.#child.status, PATIENCE.stop);
    const pids = [this.#child.pid, ...this.#pids];
    if (!kind) pids.forEach(kill);
    // Not kindly either where all of them got the interrupt that we got.
    if (!(await this.#child.status).success) removeObjectsOf(pids);
    await this.#lines.cancel().catch(() => {});
    await this.#complaints;
  }

  async #answer<T>(deadline: number, signal: AbortSignal): Promise<T> {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(new Error(`no answer within ${deadline / 1000} s`)), deadline);
    const either = AbortSignal.any([signal, stop.signal]);
    try {
      return JSON.parse(await orAborted(this.#line(), either));
    } catch (error) {
      this.#failed = true;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async #line(): Promise<string> {
    for (let end; (end = this.#rest.indexOf("\n")) < 0;) {
      const { done, value } = await this.#lines.read();
      if (done) {
        const said = (await this.#complaints).trim().split("\n");
        throw new Error(
          said.find((line) => line.includes("rror")) ?? (said[0] || "it ended without an answer"),
        );
      }
      this.#rest += value;
      if (end === -1 && this.#rest.length > COMPLAINTS) throw new Error("it says something else");
    }
    const end = this.#rest.indexOf("\n");
    const line = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + 1);
    return line;
  }
}

async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  // Whoever stops waiting does not want to hear of it any more.
  promise.catch(() => {});
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** Whether a promise settles in time. */
async function settled(promise: Promise<unknown>, patience: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), patience);
  try {
    return await Promise.race([promise.then(() => true, () => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

async function collect(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  let text = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    if (text.length < COMPLAINTS) text += part;
  }
  return text;
}
