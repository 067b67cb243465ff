/** A program started with a channel to it, and that program's end of it. */

import { type ChildProcess, spawn, type StdioOptions as NodeStdio } from "node:child_process";
import { Readable } from "node:stream";
import {
  type Bytes,
  duplex,
  ERRNO,
  errnoError,
  type Framing,
  type IpcError,
  lines,
  NotFoundError,
  type SyncChannel,
  UntrustedError,
} from "@ipc/core";
import { abi, cString, Descriptor, errno, stat } from "@ipc/core/sys";
import { libc } from "./_libc.ts";
import { pipeDescriptors, PipeReader, PipeWriter } from "./pipe.ts";

/** The one variable that tells a child where its channel is: two descriptors, such as `3,4`. */
const VARIABLE = "IPC_CHANNEL";

/** Runtimes make their duplicates before anything else is opened. */
const HIGHEST_DUPLICATE = 256;

/** What becomes of a standard stream of a child. */
export type ChildStream = "inherit" | "null" | "piped";

/** How a child is started. */
export interface SpawnOptions {
  /** Arguments of the program. */
  args?: readonly string[] | undefined;
  /** The directory it starts in; this process's own unless told. */
  cwd?: string | undefined;
  /** Variables of its environment, besides those of this process. */
  env?: Record<string, string> | undefined;
  /** Starts it with only the variables of `env`. */
  clearEnv?: boolean | undefined;
  /** Its standard input; inherited unless told. Not with `stdio`. */
  stdin?: "inherit" | "null" | undefined;
  /** Its standard output; inherited unless told. Not with `stdio`. */
  stdout?: ChildStream | undefined;
  /** Its standard error; inherited unless told. */
  stderr?: ChildStream | undefined;
  /** Speaks over the child's standard input and output, for programs that know nothing of this library. */
  stdio?: boolean | undefined;
  /** How messages are marked; a length before each unless told, one a line with `stdio`. */
  framing?: Framing | undefined;
  /** Kills the child (SIGTERM) when it aborts. */
  signal?: AbortSignal | undefined;
}

/** How a child ended. */
export interface ChildStatus {
  /** Whether it exited with 0. */
  success: boolean;
  /** Its exit status; 128 and the signal's number where a signal ended it. */
  code: number;
  /** The signal that ended it, where one did. */
  signal: string | null;
}

/** A started program. */
export interface Child {
  /** Its process id. */
  readonly pid: number;
  /** Resolves when it has ended. */
  readonly status: Promise<ChildStatus>;
  /** Its standard output, if that is `"piped"`. */
  readonly stdout: ReadableStream<Bytes> | undefined;
  /** Its standard error, if that is `"piped"`. */
  readonly stderr: ReadableStream<Bytes> | undefined;
  /** Sends it a signal; SIGTERM unless told. */
  kill(signal?: Deno.Signal): void;
  /** Lets it keep this process alive again. */
  ref(): void;
  /** Lets this process exit before it. */
  unref(): void;
}

/** A started program and the channel to it. */
export interface ChildWithChannel {
  /** The program. */
  readonly process: Child;
  /** The channel to it: `end()` is what the child sees as the end of its input. */
  readonly channel: SyncChannel<Uint8Array, Bytes>;
}

/**
 * Starts any program with a channel to it, over two pipes that no other process inherits.
 *
 * A Deno program takes its end with {@linkcode parentChannel}; any other finds the descriptors to read from
 * and to write to in the variable `IPC_CHANNEL`, as in `3,4`. With `stdio` the channel is its standard input
 * and output. System calls: `pipe2`, and what starting a process takes. Needs `--allow-run`.
 *
 * @throws {NotFoundError} if there is no such program.
 * @throws {PermissionError} if it may not be started.
 *
 * @example
 * ```ts
 * import { spawnWithChannel } from "@ipc/pipe";
 * import { text, typed } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * const { process, channel } = spawnWithChannel("sort", { stdio: true });
 * await using words = typed(channel, text);
 * await words.sendBatch(["pear", "apple"]);
 * await words.end();
 * assertEquals(await words.receive(), "apple");
 * assertEquals(await words.receive(), "pear");
 * assertEquals((await process.status).success, true);
 * ```
 */
export function spawnWithChannel(command: string, options: SpawnOptions = {}): ChildWithChannel {
  const { stdin = "inherit", stdout = "inherit", stderr = "inherit", stdio = false, signal } = options;
  const { args = [], cwd, framing = stdio ? lines() : undefined } = options;
  signal?.throwIfAborted();
  const environment = { ...options.clearEnv ? {} : Deno.env.toObject(), ...options.env };
  delete environment[VARIABLE];
  const down = pipeDescriptors();
  let up: [number, number];
  try {
    up = pipeDescriptors();
  } catch (error) {
    down.forEach((fd) => libc.close(fd));
    throw error;
  }
  const streams: NodeStdio = stdio
    ? [down[0], up[1], toNode(stderr)]
    : [toNode(stdin), toNode(stdout), toNode(stderr), down[0], up[1]];
  if (!stdio) environment[VARIABLE] = "3,4";
  let child: ChildProcess;
  try {
    child = spawn(command, args, { env: environment, stdio: streams, ...cwd !== undefined && { cwd } });
  } catch (error) {
    [...down, ...up].forEach((fd) => libc.close(fd));
    throw error;
  }
  libc.close(down[0]);
  libc.close(up[1]);
  child.on("error", () => {});
  if (child.pid === undefined) {
    libc.close(down[1]);
    libc.close(up[0]);
    throw notStarted(command);
  }
  const channel = duplex(
    new PipeReader(new Descriptor(up[0], { target: command }), framing),
    new PipeWriter(new Descriptor(down[1], { target: command }), { framing }),
  );
  return { process: new StartedChild(child, child.pid, signal), channel };
}

let toParent: SyncChannel<Uint8Array, Bytes> | undefined;

/**
 * The channel to the process that started this one with {@linkcode spawnWithChannel}.
 *
 * The descriptors are made close-on-exec and the variable `IPC_CHANNEL` is removed, so that children of this
 * process do not take them for theirs. Later calls give the same channel. Needs `--allow-env=IPC_CHANNEL`.
 *
 * @throws {NotFoundError} if this process was not started with a channel.
 *
 * @example
 * ```ts ignore
 * import { parentChannel } from "@ipc/pipe";
 *
 * await using channel = parentChannel();
 * for await (const message of channel) await channel.send(message);
 * ```
 */
export function parentChannel(
  options: { framing?: Framing | undefined } = {},
): SyncChannel<Uint8Array, Bytes> {
  if (toParent !== undefined) return toParent;
  const found = /^(\d+),(\d+)$/.exec(Deno.env.get(VARIABLE) ?? "");
  if (found === null) {
    throw new NotFoundError(
      "Cannot reach the parent: this process was not started with a channel",
      { code: "ENOENT", target: VARIABLE, hint: "start it with spawnWithChannel()" },
    );
  }
  const [input, output] = [Number(found[1]), Number(found[2])];
  for (const fd of [input, output]) adopt(fd);
  releaseDuplicates(input, output);
  Deno.env.delete(VARIABLE);
  const { framing } = options;
  return toParent = duplex(
    new PipeReader(new Descriptor(input, { target: "the parent" }), framing),
    new PipeWriter(new Descriptor(output, { target: "the parent" }), { framing }),
  );
}

/** Makes an inherited end of a pipe ours. */
function adopt(fd: number): void {
  if (stat(fd).type !== "fifo") {
    throw new UntrustedError(`Cannot reach the parent: descriptor ${fd} is not a pipe`, { target: VARIABLE });
  }
  if (libc.fcntl(fd, abi.F_SETFD, abi.FD_CLOEXEC) === -1) {
    throw errnoError(errno(), { syscall: "fcntl", action: "reach the parent", target: VARIABLE });
  }
}

/**
 * Lets go of the duplicates that the runtime keeps of what it inherits: with them open, the parent would see
 * the end only when this process ends. The numbers stay taken, for the runtime believes that they are its own.
 */
function releaseDuplicates(...fds: number[]): void {
  const ours = fds.map((fd) => stat(fd));
  const nothing = libc.open(cString("/dev/null"), abi.O_RDWR | abi.O_CLOEXEC, 0);
  if (nothing === -1) return;
  for (let fd = 3; fd < HIGHEST_DUPLICATE; fd++) {
    if (fds.includes(fd) || libc.fcntl(fd, abi.F_GETFD, 0) === -1) continue;
    const { ino, dev } = stat(fd);
    if (ours.some((end) => end.ino === ino && end.dev === dev)) libc.dup3(nothing, fd, abi.O_CLOEXEC);
  }
  libc.close(nothing);
}

class StartedChild implements Child {
  readonly #child: ChildProcess;
  readonly pid: number;
  readonly status: Promise<ChildStatus>;
  readonly stdout: ReadableStream<Bytes> | undefined;
  readonly stderr: ReadableStream<Bytes> | undefined;

  constructor(child: ChildProcess, pid: number, signal: AbortSignal | undefined) {
    this.#child = child;
    this.pid = pid;
    const { promise, resolve } = Promise.withResolvers<ChildStatus>();
    this.status = promise;
    const abort = () => this.kill();
    signal?.addEventListener("abort", abort, { once: true });
    child.once("exit", (code, by) => {
      signal?.removeEventListener("abort", abort);
      resolve({ success: code === 0, code: code ?? 128 + (SIGNALS[by ?? ""] ?? 0), signal: by });
    });
    this.stdout = toWeb(child.stdout);
    this.stderr = toWeb(child.stderr);
  }

  kill(signal: Deno.Signal = "SIGTERM"): void {
    this.#child.kill(signal as Parameters<ChildProcess["kill"]>[0]);
  }

  ref(): void {
    this.#child.ref();
  }

  unref(): void {
    this.#child.unref();
  }
}

const SIGNALS: Record<string, number> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGKILL: 9,
  SIGPIPE: 13,
  SIGTERM: 15,
};

function toNode(stream: ChildStream): "inherit" | "ignore" | "pipe" {
  return stream === "null" ? "ignore" : stream === "piped" ? "pipe" : "inherit";
}

function toWeb(stream: Readable | null): ReadableStream<Bytes> | undefined {
  return stream ? Readable.toWeb(stream) as ReadableStream<Bytes> : undefined;
}

/** Why a program could not be started: node tells only later, and a caller wants to know now. */
function notStarted(command: string): IpcError {
  const directories = command.includes("/")
    ? [""]
    : (Deno.env.get("PATH") ?? "").split(":").map((path) => `${path}/`);
  const exists = directories.some((directory) => {
    return libc.access(new TextEncoder().encode(`${directory}${command}\0`), 0) === 0;
  });
  return errnoError(exists ? ERRNO.EACCES : ERRNO.ENOENT, {
    syscall: "execve",
    action: `start "${command}"`,
    target: command,
  });
}
