/** A second process for tests, other namespaces, and another user. */

import { bind } from "@ipc/core/sys";
import { has } from "../../core/testdata/child.ts";

const CONFIG = new URL("../deno.json", import.meta.url).pathname;

/** How a process is started. */
export interface ProcessOptions {
  /** What stands before the command, such as {@linkcode inNamespaces}. */
  before?: readonly string[] | undefined;
  /** Permissions; `-A` when left out. */
  flags?: readonly string[] | undefined;
}

/** A Deno that runs a piece of TypeScript, in which `@ipc/posix` is this package; killed in the end. */
export class TestProcess implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #written: Promise<void>;
  #text = "";

  constructor(source: string, { before = [], flags = ["-A"] }: ProcessOptions = {}) {
    const settings = ["--quiet", "--no-lock", "--no-check", "--no-prompt", "--config", CONFIG];
    const [program = "", ...args] = [...before, Deno.execPath(), "run", ...settings, ...flags, "-"];
    const command = new Deno.Command(program, { args, stdin: "piped", stdout: "piped", stderr: "inherit" });
    this.#process = command.spawn();
    this.#lines = this.#process.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const stdin = this.#process.stdin.getWriter();
    this.#written = stdin.write(new TextEncoder().encode(source)).then(() => stdin.close()).catch(() => {});
  }

  get pid(): number {
    return this.#process.pid;
  }

  get status(): Promise<Deno.CommandStatus> {
    return this.#process.status;
  }

  /** The next line that it prints; undefined: the end. */
  async line(): Promise<string | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end !== -1) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return line;
      }
      const { value, done } = await this.#lines.read();
      if (done) return undefined;
      this.#text += value;
    }
  }

  /** Waits until its main thread sleeps, and goes on doing so: it is blocked in a call. */
  async blocked(): Promise<void> {
    for (let asleep = 0; asleep < 10;) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      const state = Deno.readTextFileSync(`/proc/${this.pid}/task/${this.pid}/stat`).split(") ")[1]?.[0];
      asleep = state === "S" ? asleep + 1 : 0;
    }
  }

  /** Ends it at once, and waits until it is gone. */
  async kill(): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // Gone already.
    }
    await this.#process.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.#written;
    await this.#lines.cancel();
  }
}

/** All that a piece of TypeScript prints, as JSON. */
export async function answer(source: string, options?: ProcessOptions): Promise<unknown> {
  await using process = new TestProcess(source, options);
  let text = "";
  for (let line; (line = await process.line()) !== undefined;) text += line;
  return JSON.parse(text);
}

/** The command that gives what follows it IPC and mount namespaces of its own; undefined where that is not permitted. */
export const inNamespaces: readonly string[] | undefined = [
  ["unshare", "--ipc", "--mount"],
  ["unshare", "--user", "--map-root-user", "--ipc", "--mount"],
].find(succeeds);

/** The same, with this shell command done before; undefined where either is not permitted. */
export function prepared(command: string): readonly string[] | undefined {
  const before = inNamespaces && [...inNamespaces, "sh", "-c", `${command} && exec "$@"`, "sh"];
  return before && succeeds(before) ? before : undefined;
}

/** What takes from the command that follows the right to pass limits, which only root has; undefined where that fails. */
export const unprivileged: readonly string[] | undefined = [
  ...Deno.build.os === "linux" && Deno.uid() !== 0 ? [["env"]] : [],
  ["setpriv", "--inh-caps=-sys_resource", "--bounding-set=-sys_resource"],
].find(succeeds);

/** What gives the command that follows a lower limit for its queues; undefined where there is no prlimit(1). */
export function withQueueBytes(bytes: number): readonly string[] | undefined {
  return has("prlimit") ? ["prlimit", `--msgqueue=${bytes}`] : undefined;
}

function succeeds(before: readonly string[]): boolean {
  const [program = "", ...args] = [...before, "true"];
  try {
    return new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}

const libc = bind({
  setresuid: {
    name: "syscall",
    parameters: ["i64", /* uid_t ruid */ "i32", /* uid_t euid */ "i32", /* uid_t suid */ "i32"],
    result: "i32",
  },
});
const SYS_setresuid = Deno.build.arch === "aarch64" ? 147n : 117n;

/** Whether {@linkcode asUser} works here. */
export const canBeAnother: boolean = Deno.build.os === "linux" && Deno.uid() === 0;

/** Nobody. */
export const NOBODY = 65_534;

/** Runs what does not wait as another user, of the same groups: the kernel keeps a user for each thread. */
export function asUser<T>(uid: number, action: () => T): T {
  become(uid);
  try {
    return action();
  } finally {
    become(0);
  }
}

function become(uid: number): void {
  if (libc.setresuid(SYS_setresuid, -1, uid, -1) !== 0) throw new Error(`Cannot become user ${uid}`);
}
