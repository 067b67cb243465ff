/** Running another program, and passing on to it the signals that are meant for it. */

import { Failed, STATUS } from "./_failure.ts";
import { ignoreSignal } from "./_exec.ts";

/** What a terminal sends to everybody in its foreground, so that the program has it already. */
const FROM_TERMINALS: readonly Deno.Signal[] = ["SIGINT", "SIGQUIT"];

/** Starts a program, found in the PATH, with this process's streams; it ignores these signals. */
export function start([program, ...args]: readonly string[], ignored: readonly number[]): Deno.ChildProcess {
  for (const number of ignored) ignoreSignal(number);
  try {
    return new Deno.Command(program!, { args, stdin: "inherit", stdout: "inherit", stderr: "inherit" })
      .spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new Failed(`there is no command "${program}"`, STATUS.noCommand);
    }
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new Failed(`${program}: permission denied`, STATUS.notRun);
    }
    throw error;
  }
}

/** Sends a signal that has come here to a program that runs for us. */
export function passOn(signal: Deno.Signal, program: Deno.ChildProcess): void {
  if (FROM_TERMINALS.includes(signal) && inForeground()) return;
  try {
    program.kill(signal);
  } catch {
    // It has ended.
  }
}

/** Whether this process is in the foreground of a terminal: pgrp and tpgid of proc_pid_stat(5). */
function inForeground(): boolean {
  const [, , group, , , foreground] = Deno.readTextFileSync("/proc/self/stat").split(") ").at(-1)!.split(" ");
  return group === foreground;
}
