/**
 * The way to libc: finding it, binding a package's symbols, and the one place that every call passes.
 *
 * @module
 */

import { NotSupportedError } from "../errors.ts";

/** The functions of a bound table, by name. */
export type Bound<S extends Deno.ForeignLibraryInterface> = Deno.StaticForeignLibraryInterface<S>;

/** Stands between a package and libc in tests: gets each call, and `real` to go through with it. */
export type Interceptor = (
  symbol: string,
  args: readonly unknown[],
  real: (...args: unknown[]) => unknown,
  definition: Deno.ForeignFunction,
) => unknown;

type Functions = Record<string, (...args: unknown[]) => unknown>;

/** A bound table: `live` is what packages call, `real` what libc gave. */
interface Table {
  readonly symbols: Deno.ForeignLibraryInterface;
  readonly live: Functions;
  real?: Functions;
}

const tables: Table[] = [];
const atFirst: (() => void)[] = [];
let opened = false;
let interceptor: Interceptor | undefined;

/** Whether this process is on a platform whose constants and layouts are known here. */
export const supported: boolean = Deno.build.os === "linux" &&
  (Deno.build.arch === "x86_64" || Deno.build.arch === "aarch64");

/** Whether FFI was granted without a path: only then can foreign memory be viewed. */
export function fullGrant(): boolean {
  return Deno.permissions.querySync({ name: "ffi" }).state === "granted";
}

/**
 * Binds functions of libc, each through {@linkcode Deno.dlopen}, and returns them under their names.
 *
 * The library is opened now when FFI is granted and the platform supported, otherwise at the first call;
 * so importing works everywhere, and the call throws {@linkcode NotSupportedError} or asks for the permission.
 *
 * @example
 * ```ts ignore
 * import { bind } from "@ipc/core/sys";
 *
 * const libc = bind({ getppid: { parameters: [], result: "i32" } });
 * console.log(libc.getppid());
 * ```
 */
export function bind<const S extends Deno.ForeignLibraryInterface>(symbols: S): Bound<S> {
  const live: Functions = {};
  const table: Table = { symbols, live };
  tables.push(table);
  if (supported && fullGrant()) open(table);
  else {
    for (const name of Object.keys(symbols)) {
      live[name] = (...args) => (open(table), live[name]!(...args));
    }
  }
  return live as Bound<S>;
}

/** Puts `next` between every package and libc, or takes it away; for tests. */
export function interceptCalls(next: Interceptor | undefined): void {
  interceptor = next;
  for (const table of tables) if (table.real) connect(table);
}

function open(table: Table): void {
  if (!supported) {
    throw new NotSupportedError(
      `Cannot use libc on ${Deno.build.os} ${Deno.build.arch}: only Linux on x86_64 and aarch64 is supported`,
      { code: "ENOSYS" },
    );
  }
  table.real ??= Deno.dlopen(findLibc(), table.symbols).symbols as unknown as Functions;
  connect(table);
  if (opened) return;
  opened = true;
  for (const callback of atFirst) callback();
}

/**
 * Calls `callback` once libc is open, and before anything is called that waited for it to be opened.
 *
 * Opening makes many system calls: what is to be found out without harm to errno is found out here.
 */
export function whenOpened(callback: () => void): void {
  if (opened) callback();
  else atFirst.push(callback);
}

function connect({ live, real, symbols }: Table): void {
  for (const name of Object.keys(symbols)) {
    const call = real![name]!;
    // An optional symbol that this libc does not have, or an address, which nobody calls.
    if (call === null || "type" in symbols[name]!) {
      live[name] = call;
      continue;
    }
    live[name] = interceptor === undefined
      ? call
      : intercepted(name, symbols[name] as Deno.ForeignFunction, call);
  }
}

/** A call that goes through the interceptor; syscall(2) is shown to it as the call that it makes. */
function intercepted(
  name: string,
  definition: Deno.ForeignFunction,
  call: (...args: unknown[]) => unknown,
): (...args: unknown[]) => unknown {
  const direct = definition.name === "syscall";
  const symbol = direct ? name : definition.name ?? name;
  return (...args) => {
    if (interceptor === undefined) return call(...args);
    if (!direct) return interceptor(symbol, args, call, definition);
    const [number, ...rest] = args;
    return interceptor(symbol, rest, (...others) => call(number, ...others), definition);
  };
}

let found: string | undefined;

function findLibc(): string {
  if (found !== undefined) return found;
  const tried: unknown[] = [];
  for (const candidate of candidates()) {
    try {
      Deno.dlopen(candidate, { getpid: { parameters: [], result: "i32" } }).close();
      return found = candidate;
    } catch (error) {
      tried.push(error);
    }
  }
  throw tried.find((error) => error instanceof Deno.errors.NotCapable) ??
    new NotSupportedError("Cannot find libc: neither glibc nor musl can be opened", { cause: tried[0] });
}

/**
 * Sonames under a full grant only; under a scoped one a soname would be looked up in the working directory
 * and could be anybody's file, so there absolute paths are tried.
 */
function candidates(): string[] {
  const arch = Deno.build.arch;
  const triplet = `${arch}-linux-gnu`;
  const paths = [
    `/lib/${triplet}/libc.so.6`,
    `/usr/lib/${triplet}/libc.so.6`,
    "/lib64/libc.so.6",
    "/usr/lib64/libc.so.6",
    "/lib/libc.so.6",
    "/usr/lib/libc.so.6",
    `/lib/libc.musl-${arch}.so.1`,
  ];
  if (fullGrant()) return ["libc.so.6", `libc.musl-${arch}.so.1`];
  const granted = paths.filter((path) =>
    Deno.permissions.querySync({ name: "ffi", path }).state === "granted"
  );
  if (granted.length > 0) return granted;
  return Deno.permissions.requestSync({ name: "ffi" }).state === "granted" ? candidates() : paths;
}
