/** Becoming another program: execvp(3). */

import { describeErrno, ERRNO } from "@ipc/core";
import { bind, type Bound, cString, errno } from "@ipc/core/sys";
import { Failed, STATUS } from "./_failure.ts";

const symbols = {
  execvp: {
    parameters: [/* const char *file */ "buffer", /* char *const argv[] */ "buffer"],
    result: /* int */ "i32",
  },
  signal: {
    parameters: [/* int signum */ "i32", /* sighandler_t handler */ "usize"],
    result: /* sighandler_t */ "usize",
  },
} as const satisfies Deno.ForeignLibraryInterface;

const libc: Bound<typeof symbols> = bind(symbols);

const SIGPIPE = 13;
const SIG_DFL = 0n;
const SIG_IGN = 1n;

/** Ignores a signal, here and in every program that is started from here. */
export function ignoreSignal(number: number): void {
  libc.signal(number, SIG_IGN);
}

/**
 * Makes this process another program, found in the PATH, which ignores these signals.
 *
 * It returns only by throwing. Deno has caught the signals and ignores SIGPIPE; the new program finds them as the
 * caller of this one left them.
 */
export function exec(command: readonly string[], ignored: readonly number[]): never {
  const words = command.map(cString);
  const pointers = words.map((word) => Deno.UnsafePointer.value(Deno.UnsafePointer.of(word)));
  const argv = BigUint64Array.from([...pointers, 0n]);
  libc.signal(SIGPIPE, SIG_DFL);
  for (const number of ignored) ignoreSignal(number);
  libc.execvp(words[0]!, argv);
  const code = errno();
  ignoreSignal(SIGPIPE);
  throw new Failed(
    code === ERRNO.ENOENT ? `there is no command "${command[0]}"` : `${command[0]}: ${describeErrno(code)}`,
    code === ERRNO.ENOENT ? STATUS.noCommand : STATUS.notRun,
  );
}
