/**
 * Programs in other languages that do with System V objects as they are told.
 *
 * A peer holds one object of each sort. Its commands, with keys in decimal, modes in octal, bytes in hexadecimal
 * (`-` for none) and answers in JSON:
 *
 * - `queue create KEY MODE`, `queue open KEY`, `queue send TYPE BYTES`, `queue receive TYPE`, `queue except TYPE`,
 *   `queue status`, `queue remove`; of php also `queue send_value TYPE JSON` and `queue receive_value TYPE`;
 * - `set create KEY SIZE INITIAL MODE`, `set open KEY`, `set operate INDEX:BY:FLAGS…` (`u` for undo, `n` for nowait),
 *   `set values`, `set status`, `set remove`; of php instead `semaphore get KEY MOST`, `acquire`, `try`, `release`
 *   and `remove`;
 * - `memory create KEY SIZE MODE`, `memory open KEY`, `memory write OFFSET BYTES`, `memory read OFFSET LENGTH`,
 *   `memory status`, `memory detach`, `memory remove`; of php also `table attach KEY SIZE`, `table put NUMBER JSON`,
 *   `table get NUMBER` and `table remove`.
 */

import { assert } from "@std/assert";
import type { Key } from "@ipc/core";
import { compile, has } from "../../core/testdata/child.ts";
import { constants } from "../_abi.ts";
import { memoryKind, queueKind, setKind } from "../_kinds.ts";
import type { SystemVStatus } from "../status.ts";

/** A language, and whether what it takes is not installed. */
export interface Language {
  readonly name: string;
  readonly missing: boolean;
  /** Gives the command line; what has to be built goes into the folder. */
  command(folder: string): Promise<string[]> | string[];
}

/** A message as a peer tells it. */
export interface PeerMessage {
  type: number;
  hex: string;
}

const path = (name: string) => new URL(name, import.meta.url).pathname;

function succeeds(program: string, ...args: string[]): boolean {
  try {
    return new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}

/** Debian's sysv_ipc is a module of Debian's python, which need not be the first in PATH. */
const python = ["python3", "/usr/bin/python3"].find((program) => succeeds(program, "-c", "import sysv_ipc"));

const perlModules = ["IPC::Msg", "IPC::Semaphore", "IPC::SharedMem", "JSON::PP"];
const phpFunctions = ["msg_send", "sem_get", "shm_attach", "shmop_open"];

/** C, with our own calls of libc. */
export const c: Language = {
  name: "C",
  missing: !has("cc"),
  command: async (folder) => [
    await compile(folder, "peer", await Deno.readTextFile(path("interop_peer.c"))),
  ],
};

/** Perl, with the modules of its core. */
export const perl: Language = {
  name: "perl",
  missing: !succeeds("perl", ...perlModules.map((name) => `-M${name}`), "-e", "1"),
  command: () => ["perl", path("interop_peer.pl")],
};

/** Python, with sysv_ipc. */
export const python3: Language = {
  name: "python",
  missing: python === undefined,
  command: () => [python!, path("interop_peer.py")],
};

/** PHP, with sysvmsg, sysvsem, sysvshm and shmop. */
export const php: Language = {
  name: "php",
  missing: !succeeds(
    "php",
    "-r",
    phpFunctions.map((name) => `function_exists('${name}') || exit(1);`).join(" "),
  ),
  command: () => ["php", path("interop_peer.php")],
};

/** One program at work; disposing of it ends it, whatever it waits for. */
export class Peer implements AsyncDisposable {
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

  static async start(language: Language): Promise<Peer> {
    const folder = await Deno.makeTempDir({ prefix: "ipc-peer-" });
    try {
      const [program = "", ...args] = await language.command(folder);
      return new Peer(new Deno.Command(program, { args, stdin: "piped", stdout: "piped" }).spawn(), folder);
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
    while (!this.#received.includes("\n")) {
      const { value, done } = await this.#output.read();
      if (done) throw new Error(`The program ended at "${words.join(" ")}"`);
      this.#received += value;
    }
    const end = this.#received.indexOf("\n");
    const answer = JSON.parse(this.#received.slice(0, end));
    this.#received = this.#received.slice(end + 1);
    if (answer?.error !== undefined) throw new Error(`"${words.join(" ")}" failed: ${answer.error}`);
    return answer;
  }

  /** Lets it come to its end by itself. */
  async end(): Promise<void> {
    await this.#input.close();
    await this.#process.status;
  }

  /** Ends it as `kill -9` does. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.status;
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

/** A key that nobody uses; in the end objects under it are removed, whoever made them. */
export class OwnKey implements Disposable {
  readonly key = (crypto.getRandomValues(new Int32Array(1))[0]! | 1) as Key;

  [Symbol.dispose](): void {
    for (const kind of [queueKind, setKind, memoryKind]) {
      const id = kind.get(this.key, 0, 0);
      if (id !== -1) kind.control(id, constants.IPC_RMID, null);
    }
  }
}

/** Bytes as a peer takes them. */
export function toHex(bytes: Uint8Array): string {
  return bytes.byteLength === 0 ? "-" : [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A moment as C tells it. */
export function seconds(time: Date | undefined): number {
  return time === undefined ? 0 : time.getTime() / 1000;
}

/** What C calls the fields that every object has. */
export function commonFields(status: SystemVStatus) {
  return {
    uid: status.uid,
    gid: status.gid,
    cuid: status.creatorUid,
    cgid: status.creatorGid,
    mode: status.mode,
    ctime: seconds(status.changeTime),
  };
}

/** Waits for what another program does soon. */
export async function until(condition: () => boolean): Promise<void> {
  for (const end = performance.now() + 20_000; !condition();) {
    assert(performance.now() < end, `still not after 20 s: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
