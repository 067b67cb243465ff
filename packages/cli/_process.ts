/** The streams and signals of this process. */

import { Interrupted, type Io, type Output, OutputClosed } from "./io.ts";
import { exec } from "./_exec.ts";
import { passOn, start } from "./_run.ts";

/** Signals that ask a program to end, with their numbers. */
const SIGNALS: readonly (readonly [Deno.Signal, number])[] = [["SIGHUP", 1], ["SIGINT", 2], ["SIGTERM", 15]];

/** This process's own streams, and the way out of it. */
export interface Process {
  /** Its streams; the first signal that asks it to end aborts. */
  readonly io: Io;
  /** Ends the process: with a status, or by the signal that it was asked with, so that shells see it. */
  leave(status: number): void;
}

/** Takes over the signals that ask this process to end. A second one ends it at once. */
export function takeProcess(): Process {
  const abort = new AbortController();
  const ignored = ignoredSignals();
  const isIgnored = (number: number) => (ignored & (1n << BigInt(number - 1))) !== 0n;
  const numbersIgnored = () => SIGNALS.map(([, number]) => number).filter(isIgnored);
  const listeners = new Map<Deno.Signal, () => void>();
  const listen = (name: Deno.Signal, listener: () => void) => {
    Deno.addSignalListener(name, listener);
    listeners.set(name, listener);
  };
  /** What runs in the place of this process. */
  let program: Deno.ChildProcess | undefined;
  for (const [name, number] of SIGNALS) {
    // What nohup, or a shell that starts us in the background, has told us to ignore stays ignored: by a
    // listener, for the first one of any signal makes Deno catch them all.
    listen(
      name,
      isIgnored(number) ? () => {} : () => {
        if (program !== undefined) return passOn(name, program);
        if (abort.signal.aborted) Deno.exit(128 + number);
        abort.abort(new Interrupted(name, number));
      },
    );
  }
  const io: Io = {
    get stdin() {
      return Deno.stdin.readable;
    },
    stdout: outputOf(Deno.stdout),
    stderr: outputOf(Deno.stderr),
    become: (command) => {
      for (const [name, listener] of listeners) Deno.removeSignalListener(name, listener);
      return exec(command, numbersIgnored());
    },
    run: async (command) => {
      const running = program = start(command, numbersIgnored());
      // It would end this process, and not what runs.
      listen("SIGQUIT", () => passOn("SIGQUIT", running));
      const { code, signal } = await running.status;
      if (signal !== null) abort.abort(new Interrupted(signal, code - 128));
      return code;
    },
    signal: abort.signal,
  };
  return {
    io,
    leave(status) {
      const { reason } = abort.signal;
      if (!(reason instanceof Interrupted)) Deno.exit(status);
      for (const [name, listener] of listeners) Deno.removeSignalListener(name, listener);
      Deno.kill(Deno.pid, reason.by);
      setTimeout(() => Deno.exit(status), 1000);
    },
  };
}

function outputOf(stream: typeof Deno.stdout): Output {
  const terminal = stream.isTerminal();
  return {
    terminal,
    colour: terminal && !Deno.noColor && Deno.env.get("TERM") !== "dumb",
    get columns() {
      return terminal ? Deno.consoleSize().columns : 100;
    },
    async write(bytes) {
      try {
        while (bytes.length > 0) bytes = bytes.subarray(await stream.write(bytes));
      } catch (error) {
        if (error instanceof Deno.errors.BrokenPipe) throw new OutputClosed();
        throw error;
      }
    },
  };
}

/** The signals that this process was started to ignore, a bit each: proc_pid_status(5). */
function ignoredSignals(): bigint {
  try {
    const found = /^SigIgn:\s*([0-9a-f]+)$/m.exec(Deno.readTextFileSync("/proc/self/status"));
    return found === null ? 0n : BigInt(`0x${found[1]}`);
  } catch {
    return 0n;
  }
}
