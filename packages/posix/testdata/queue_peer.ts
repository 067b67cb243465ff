/**
 * A C program that does with one message queue as it is told.
 *
 * Its commands, with modes in octal, bytes in hexadecimal (`-` for none) and answers in JSON: `create NAME MESSAGES
 * BYTES MODE`, `open NAME`, `send PRIORITY BYTES`, `receive`, `status`, `notify`, which answers at once and when it is, and `unlink NAME`.
 */

import { compile, has } from "../../core/testdata/child.ts";

/** Whether there is a compiler. */
export const canCompile: boolean = has("cc");

/** A message as the program tells it. */
export interface PeerMessage {
  priority: number;
  hex: string;
}

/** The program at work; disposing of it ends it, whatever it waits for. */
export class QueuePeer implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<string>;
  readonly #folder: string;
  #received = "";

  private constructor(process: Deno.ChildProcess, folder: string) {
    this.#process = process;
    this.#folder = folder;
    this.#input = process.stdin.getWriter();
    this.#output = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  static async start(): Promise<QueuePeer> {
    const folder = await Deno.makeTempDir({ prefix: "ipc-peer-" });
    try {
      const source = await Deno.readTextFile(new URL("queue_peer.c", import.meta.url));
      // Before glibc 2.34 the calls are in a library of their own.
      const program = await compile(folder, "peer", source, ["-Wl,--no-as-needed", "-lrt"]);
      return new QueuePeer(new Deno.Command(program, { stdin: "piped", stdout: "piped" }).spawn(), folder);
    } catch (error) {
      await Deno.remove(folder, { recursive: true });
      throw error;
    }
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Gives a command and waits for its answer. */
  async ask<Answer = unknown>(...words: (string | number)[]): Promise<Answer> {
    await this.#input.write(new TextEncoder().encode(`${words.join(" ")}\n`));
    return await this.answer();
  }

  /** Waits for another answer. */
  async answer<Answer = unknown>(): Promise<Answer> {
    while (!this.#received.includes("\n")) {
      const { value, done } = await this.#output.read();
      if (done) throw new Error("The program has ended");
      this.#received += value;
    }
    const end = this.#received.indexOf("\n");
    const answer = JSON.parse(this.#received.slice(0, end));
    this.#received = this.#received.slice(end + 1);
    if (answer?.error !== undefined) throw new Error(`The program failed: ${answer.error}`);
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#process.status;
    await this.#input.abort().catch(() => {});
    await this.#output.cancel().catch(() => {});
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** Bytes as the program takes them. */
export function toHex(bytes: Uint8Array): string {
  return bytes.byteLength === 0 ? "-" : [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
