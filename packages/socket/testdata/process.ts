/** What tests of sockets need of other processes, besides what all tests do. */

import { diagnostics, dupCloexec, OwnedFd } from "@ipc/core/sys";
import { closeSync, openSync } from "node:fs";

export * from "../../core/testdata/process.ts";
export * from "../../core/testdata/user.ts";

/** This package as a specifier in a program's source. */
export const MOD: string = JSON.stringify(new URL("../mod.ts", import.meta.url).href);
/** Generous: nothing that works takes so long. */
export const CEILING = { timeout: 20_000 };

const encoder = new TextEncoder();

/** Bytes of a text. */
export const bytes = (text: string): Uint8Array<ArrayBuffer> => encoder.encode(text);
/** Text of some bytes. */
export const text = (data: Uint8Array | undefined): string => new TextDecoder().decode(data);

/** A program in another language at work; disposing of it kills it. */
export class Program implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  #reader: ReadableStreamDefaultReader<string> | undefined;

  constructor(program: string, args: string[]) {
    this.#process = new Deno.Command(program, { args, stdin: "piped", stdout: "piped" }).spawn();
  }

  /** Gives it something to read, and then the end of that unless more follows. */
  async feed(input: string, more: "more" | "end" = "end"): Promise<void> {
    const writer = this.#process.stdin.getWriter();
    try {
      await writer.write(encoder.encode(input));
      if (more === "end") await writer.close();
    } finally {
      writer.releaseLock();
    }
  }

  /** What it has printed when it ends. */
  async output(): Promise<string> {
    return await new Response(this.#process.stdout).text();
  }

  /** What gives the next line that it prints each time; not beside `output`. */
  lines(): () => Promise<string> {
    const reader = this.#reader = this.#process.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let received = "";
    return async () => {
      while (!received.includes("\n")) {
        const { value, done } = await reader.read();
        if (done) throw new Error(`The program has ended: ${received}`);
        received += value;
      }
      const end = received.indexOf("\n");
      const line = received.slice(0, end);
      received = received.slice(end + 1);
      return line;
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#process.status;
    await this.#process.stdin.abort().catch(() => {});
    await (this.#reader ?? this.#process.stdout).cancel().catch(() => {});
  }
}

/** Runs a test with a path that nothing has yet. */
export async function withPath<T>(test: (path: string) => T | Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "ipc-test-" });
  try {
    return await test(`${folder}/socket`);
  } finally {
    await settled();
    await Deno.remove(folder, { recursive: true });
  }
}

/** A descriptor of one's own: the runtime closes that of `openSync`. */
export function own(path: string, flags: string): OwnedFd {
  const fd = openSync(path, flags);
  try {
    return new OwnedFd(dupCloexec(fd));
  } finally {
    closeSync(fd);
  }
}

/** Waits until something is so. */
export async function until(seen: () => boolean, what: string): Promise<void> {
  for (const end = performance.now() + CEILING.timeout; !seen();) {
    if (performance.now() > end) throw new Error(`Expected ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Waits until no thread is parked any more, as is soon so when the last wait has ended. */
export async function settled(): Promise<void> {
  await until(() => diagnostics().poolThreads === 0, "that nothing waits any more");
}

/** Whether there is something at a path, be it a socket. */
export function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
