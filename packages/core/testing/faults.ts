/**
 * Faults on purpose: the n-th call into libc fails, does half of its work, or is the last one.
 *
 * Every package passes all its calls through `bind`, so that a test can stand between. A test of a whole operation
 * fails every one of its calls in turn, with every error that may come, and looks each time whether the operation
 * ended in success or in a typed error, and left nothing behind:
 *
 * ```ts
 * import { everyFault } from "@ipc/core/testing";
 * import { dupCloexec, OwnedFd } from "@ipc/core/sys";
 *
 * await everyFault(() => {
 *   using copy = new OwnedFd(dupCloexec(0));
 * }, { errnos: [4, 24] });
 * ```
 *
 * @module
 */

import { errnoName } from "../errno.ts";
import { IpcError } from "../errors.ts";
import { setTurns } from "../base/_ladder.ts";
import { setErrno } from "../sys/errno.ts";
import { interceptCalls } from "../sys/libc.ts";

/** Which call is hit, and how. Exactly one of `errno`, `short` and `kill`. */
export interface FaultPlan {
  /** Which of the calls that count, from 1. */
  nth: number;
  /** Only calls to these functions count; all that can fail when left out. */
  symbols?: string | readonly string[] | undefined;
  /** The call is not made and fails with this; a `close` is made all the same, as the kernel does. */
  errno?: number | undefined;
  /** The call is made for at most so many bytes; only reads and writes of more than this count. */
  short?: number | undefined;
  /** This process is killed with SIGKILL before the call, or after it; for child processes. */
  kill?: "before" | "after" | undefined;
}

/** What a run under a {@linkcode FaultPlan} came to. */
export interface FaultRun<T> {
  /** What the operation returned, where it did. */
  result?: T;
  /** What it threw, where it did. */
  error?: unknown;
  /** The function that was hit; undefined: the operation ended before the n-th call. */
  hit: string | undefined;
  /** How many calls counted. */
  calls: number;
}

/** How {@linkcode everyFault} goes about it. */
export interface EveryFaultOptions {
  /** The errors that each call is made to fail with, one after the other. */
  errnos: readonly number[];
  /** Each read and write is also cut to this many bytes; not when left out. */
  short?: number | undefined;
  /** Only calls to these functions; all that can fail when left out. */
  symbols?: string | readonly string[] | undefined;
  /** Looks after every run whether all is as it should be; throws if not. */
  verify?: ((run: FaultRun<unknown>) => void | Promise<void>) | undefined;
  /** Milliseconds that one run may take; 10,000 when left out. What blocks the thread is not stopped. */
  timeout?: number | undefined;
  /** Calls of one operation at most, against operations that try again for ever; 1,000 when left out. */
  mostCalls?: number | undefined;
}

/** What {@linkcode everyFault} did. */
export interface FaultReport {
  /** Runs in which a call was hit. */
  faults: number;
  /** Of these, how many ended in an error; the others went on as if nothing had happened. */
  errors: number;
  /** How often each function was hit. */
  hits: Record<string, number>;
}

/** These cannot fail, or are how errno is read. */
const NEVER_FAIL = new Set([
  "__errno_location",
  "memcpy",
  "memset",
  "strtol",
  "getpid",
  "getppid",
  "getuid",
  "geteuid",
  "getgid",
  "getegid",
  "umask",
  "sysconf",
]);

/** These return the error itself. */
const RETURNS_ERROR = /^(posix_(fallocate|fadvise|spawn|madvise)|pthread_|clock_nanosleep)/;

/** These return MAP_FAILED rather than a null pointer. */
const MAP_FAILED = new Set(["mmap", "mremap", "shmat"]);

/** Which parameter of a call says how many bytes. */
const LENGTH_PARAMETER: Readonly<Record<string, number>> = {
  read: 2,
  write: 2,
  pread: 2,
  pwrite: 2,
  recv: 2,
  send: 2,
  sendto: 2,
  recvfrom: 2,
  splice: 4,
  tee: 2,
  sendfile: 3,
};

/** Calls of a wait that all fail alike, before it parks. */
const TURNS = 3;

let active = false;

/**
 * Runs an operation in which one call into libc goes wrong; what it throws is in the result.
 *
 * Afterwards everything is as before, whatever happens. One at a time, and nothing else that calls libc should
 * run meanwhile: its calls count too.
 *
 * @throws {TypeError} if the plan does not say exactly what goes wrong.
 *
 * @example
 * ```ts
 * import { withFault } from "@ipc/core/testing";
 * import { LimitError } from "@ipc/core";
 * import { dupCloexec } from "@ipc/core/sys";
 * import { assertEquals, assertInstanceOf } from "@std/assert";
 *
 * const run = await withFault({ nth: 1, symbols: "fcntl", errno: 24 }, () => dupCloexec(0));
 * assertInstanceOf(run.error, LimitError);
 * assertEquals(run.hit, "fcntl");
 * ```
 */
export async function withFault<T>(plan: FaultPlan, operation: () => T | Promise<T>): Promise<FaultRun<T>> {
  const ways = [plan.errno, plan.short, plan.kill].filter((way) => way !== undefined).length;
  if (ways !== 1 || !Number.isInteger(plan.nth) || plan.nth < 1) {
    throw new TypeError("Cannot inject a fault: a plan has nth from 1, and one of errno, short and kill");
  }
  if (active) throw new TypeError("Cannot inject a fault: another is being injected");
  const run: FaultRun<T> = { hit: undefined, calls: 0 };
  active = true;
  setTurns(TURNS);
  interceptCalls((symbol, args, real, definition) => {
    if (run.hit !== undefined || !counts(plan, symbol, args)) return real(...args);
    run.calls++;
    if (run.calls !== plan.nth) return real(...args);
    run.hit = symbol;
    return strike(plan, symbol, args, real, definition);
  });
  try {
    run.result = await operation();
  } catch (error) {
    run.error = error;
  } finally {
    interceptCalls(undefined);
    setTurns();
    active = false;
  }
  return run;
}

/**
 * Runs an operation again and again, and lets its first, second, third … call go wrong in every given way, until
 * a run passes in which nothing was left to go wrong.
 *
 * Each run must return or throw an {@linkcode IpcError}; anything else is thrown on, with the fault that led to it.
 *
 * @example
 * ```ts
 * import { everyFault } from "@ipc/core/testing";
 * import { Mapping } from "@ipc/core/sys";
 * import { assertEquals } from "@std/assert";
 *
 * const report = await everyFault(() => Mapping.anonymous(4096).close(), {
 *   errnos: [12],
 *   symbols: "mmap",
 * });
 * assertEquals(report, { faults: 1, errors: 1, hits: { mmap: 1 } });
 * ```
 */
export async function everyFault(
  operation: () => unknown,
  options: EveryFaultOptions,
): Promise<FaultReport> {
  const { errnos, short, symbols, verify, timeout = 10_000, mostCalls = 1000 } = options;
  const report: FaultReport = { faults: 0, errors: 0, hits: {} };
  const kinds: Omit<FaultPlan, "nth">[] = errnos.map((errno) => ({ errno, symbols }));
  if (short !== undefined) kinds.push({ short, symbols });
  for (const kind of kinds) {
    for (let nth = 1;; nth++) {
      if (nth > mostCalls) {
        throw new Error(`Cannot end: ${describe(kind, nth)} was reached, and calls still come`);
      }
      const run = await withFault({ ...kind, nth }, () => within(timeout, operation));
      const failure = judge(run) ?? await verified(run, verify);
      if (failure !== undefined) {
        throw new Error(
          `Cannot bear a fault: ${describe(kind, nth)}${
            run.hit === undefined ? " (not reached)" : `, ${run.hit}`
          }: ${failure instanceof Error ? failure.message : failure}`,
          { cause: failure },
        );
      }
      if (run.hit === undefined) break;
      report.faults++;
      if (run.error !== undefined) report.errors++;
      report.hits[run.hit] = (report.hits[run.hit] ?? 0) + 1;
    }
  }
  return report;
}

/** What is wrong with how a run ended. */
function judge(run: FaultRun<unknown>): unknown {
  if (run.error === undefined) return undefined;
  return run.hit !== undefined && run.error instanceof IpcError ? undefined : run.error;
}

async function verified(
  run: FaultRun<unknown>,
  verify: EveryFaultOptions["verify"],
): Promise<unknown> {
  try {
    await verify?.(run);
  } catch (error) {
    return error;
  }
}

function counts(plan: FaultPlan, symbol: string, args: readonly unknown[]): boolean {
  if (NEVER_FAIL.has(symbol)) return false;
  const { symbols } = plan;
  if (
    symbols !== undefined && (typeof symbols === "string" ? symbols !== symbol : !symbols.includes(symbol))
  ) {
    return false;
  }
  if (plan.short === undefined) return true;
  const parameter = LENGTH_PARAMETER[symbol];
  return parameter !== undefined && Number(args[parameter]) > plan.short;
}

function strike(
  plan: FaultPlan,
  symbol: string,
  args: readonly unknown[],
  real: (...args: unknown[]) => unknown,
  definition: Deno.ForeignFunction,
): unknown {
  if (plan.short !== undefined) {
    const parameter = LENGTH_PARAMETER[symbol]!;
    const length = typeof args[parameter] === "bigint" ? BigInt(plan.short) : plan.short;
    return real(...args.with(parameter, length));
  }
  if (plan.kill !== undefined) {
    if (plan.kill === "after") real(...args);
    Deno.kill(Deno.pid, "SIGKILL");
  }
  // Linux releases the number whatever close(2) says; without this the fault itself would leak it.
  if (symbol === "close") real(...args);
  const result = failed(definition.name ?? symbol, definition.result, plan.errno!);
  if (definition.nonblocking) return Promise.resolve(result);
  setErrno(plan.errno!);
  return result;
}

/** What a function returns when it fails. */
function failed(symbol: string, type: Deno.NativeResultType, errno: number): unknown {
  if (RETURNS_ERROR.test(symbol)) return errno;
  switch (type) {
    case "pointer":
    case "buffer":
    case "function":
      return MAP_FAILED.has(symbol) ? Deno.UnsafePointer.create(2n ** 64n - 1n) : null;
    case "i64":
    case "isize":
      return -1n;
    case "u64":
    case "usize":
      return 2n ** 64n - 1n;
    default:
      return -1;
  }
}

async function within<T>(timeout: number, operation: () => T | Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it did not end within ${timeout} ms`)), timeout);
  });
  try {
    return await Promise.race([operation(), late]);
  } finally {
    clearTimeout(timer);
  }
}

function describe(kind: Omit<FaultPlan, "nth">, nth: number): string {
  return kind.errno !== undefined
    ? `call ${nth} failing with ${errnoName(kind.errno)}`
    : `call ${nth} cut to ${kind.short} bytes`;
}
