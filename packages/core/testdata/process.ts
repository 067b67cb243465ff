/** A second process for tests that one talks with while it runs, and other namespaces for it. */

const CONFIG = new URL("../deno.json", import.meta.url).pathname;

/** How a process is started. */
export interface ProcessOptions {
  /** What stands before the command, such as {@linkcode inNamespaces}. */
  before?: readonly string[] | undefined;
  /** Permissions; `-A` when left out. */
  flags?: readonly string[] | undefined;
}

/** A Deno that runs a piece of TypeScript, which imports modules by their URL; killed in the end. */
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
].find(permitted);

/** The same, with this shell command done before; undefined where either is not permitted. */
export function prepared(command: string): readonly string[] | undefined {
  const before = inNamespaces && [...inNamespaces, "sh", "-c", `${command} && exec "$@"`, "sh"];
  return before && permitted(before) ? before : undefined;
}

/** Whether this may stand before a command here. */
export function permitted(before: readonly string[]): boolean {
  const [program = "", ...args] = [...before, "true"];
  try {
    return new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}
