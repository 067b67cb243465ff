/** Running the command in tests as what it is: a process. */

import { make, type MakeOptions, remove } from "@ipc/address";
import { formatKey, stableKey } from "@ipc/core";

const main = new URL("./main.ts", import.meta.url).pathname;
// The test runs on the stand-ins for @std or on the real packages, and so does what it starts.
const config = import.meta.resolve("@std/cli/parse-args").startsWith("file:")
  ? ".deno.offline.json"
  : "deno.json";
const configPath = new URL(`../../${config}`, import.meta.url).pathname;

/** The words that start the command, as a shell or `Deno.Command` takes them. */
const IPC: readonly string[] = [
  Deno.execPath(),
  "run",
  "--quiet",
  "-A",
  "--config",
  configPath,
  main,
];

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A command that has ended. */
export interface Finished {
  /** Its exit status. */
  readonly code: number;
  /** The signal that ended it. */
  readonly signal: Deno.Signal | null;
  /** What it wrote, as text. */
  readonly stdout: string;
  /** What it wrote. */
  readonly bytes: Uint8Array;
  /** What it complained of. */
  readonly stderr: string;
}

/** A command that runs. */
export interface Running extends AsyncDisposable {
  /** The process. */
  readonly process: Deno.ChildProcess;
  /** Its end. */
  readonly finished: Promise<Finished>;
}

/** Starts `ipc`; what is left of it at the end of the block is killed. */
export function start(args: readonly string[], input: string | Uint8Array | null = null): Running {
  const [program, ...words] = [...IPC, ...args];
  const process = new Deno.Command(program!, {
    args: words,
    stdin: input === null ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
    // A test that waits for it then fails, and does not hang.
    signal: AbortSignal.timeout(60_000),
  }).spawn();
  if (input !== null) {
    const writer = process.stdin.getWriter();
    const bytes = typeof input === "string" ? encoder.encode(input) : input;
    // A command that ends early closes its input, which is not what a test is about.
    writer.write(bytes).then(() => writer.close()).catch(() => {});
  }
  const finished = process.output().then(({ code, signal, stdout, stderr }) => {
    return { code, signal, stdout: decoder.decode(stdout), bytes: stdout, stderr: decoder.decode(stderr) };
  });
  return {
    process,
    finished,
    async [Symbol.asyncDispose]() {
      try {
        process.kill("SIGKILL");
      } catch {
        // It has ended.
      }
      await finished;
    },
  };
}

/** Runs `ipc` to its end. */
export async function ipc(
  args: readonly string[],
  input: string | Uint8Array | null = null,
): Promise<Finished> {
  await using running = start(args, input);
  return await running.finished;
}

/** Puts the command into a folder, for shells that have it in their PATH; its process is the one they start. */
export function install(dir: string): void {
  Deno.writeTextFileSync(`${dir}/ipc`, `#!/bin/sh\nexec ${IPC.map((word) => `'${word}'`).join(" ")} "$@"\n`);
  Deno.chmodSync(`${dir}/ipc`, 0o755);
}

/** Runs a shell script in which `ipc` is the command. */
export async function shell(script: string): Promise<Finished> {
  using dir = folder();
  install(dir.path);
  const { code, signal, stdout, stderr } = await new Deno.Command("timeout", {
    args: ["60", "sh", "-c", script],
    stdin: "null",
    env: { NO_COLOR: "1", PATH: `${dir.path}:${Deno.env.get("PATH")}` },
  }).output();
  return { code, signal, stdout: decoder.decode(stdout), bytes: stdout, stderr: decoder.decode(stderr) };
}

/** A folder that is gone at the end of the block. */
export function folder(): { readonly path: string } & Disposable {
  const path = Deno.makeTempDirSync({ prefix: "ipc-test-" });
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

/** An object that is gone at the end of the block, whatever has happened to it. */
export async function made(
  scheme: string,
  options: MakeOptions = {},
): Promise<{ readonly address: string } & AsyncDisposable> {
  const name = `ipc-test-${crypto.randomUUID()}`;
  const object = scheme.startsWith("sysv-") ? formatKey(stableKey(name)) : `/${name}`;
  const address = await make(`${scheme}:${object}`, options);
  return { address, [Symbol.asyncDispose]: () => remove(address).catch(() => {}) };
}

/** Waits until something is so; fails after half a minute. */
export async function until(so: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = AbortSignal.timeout(30_000); !end.aborted;) {
    if (await so()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("Cannot go on: what the test waits for did not happen within 30 s");
}

/** Whether there is a FIFO, or anything, at a path. */
export function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
