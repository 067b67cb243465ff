/**
 * Who a process is, in a way that outlives its number.
 *
 * @module
 */

import type { Bytes } from "../channel.ts";
import { ERRNO } from "../errno.ts";
import { type IpcError, NotSupportedError } from "../errors.ts";
import { libc } from "./_libc.ts";
import { abi } from "./abi.ts";
import { cString } from "./c_string.ts";
import { errno, failure } from "./errno.ts";

/**
 * A process, told apart from every other that has, had or will have the same number.
 *
 * A number alone is used again, here after at most some ten thousand processes.
 */
export interface ProcessIdentity {
  /** The two halves of the kernel's random boot id, exclusive-ored; another boot, another number. */
  readonly bootId: bigint;
  /** The number of the process, as this process sees it. */
  readonly pid: number;
  /** When it started, in clock ticks since boot: field 22 of proc_pid_stat(5). */
  readonly startTime: number;
  /** The inode of the pid namespace in which `pid` counts. */
  readonly pidNamespace: number;
}

/** What is known of a process: `"unknown"` where it cannot be seen from here. */
export type ProcessState = "alive" | "dead" | "unknown";

/** Bytes of an identity in its binary form. */
export const IDENTITY_SIZE = 24;

/** Field 22 comes before byte 600 even where every number is as long as it can be. */
const statText = new Uint8Array(1024);
const STAT_LENGTH = BigInt(statText.byteLength);
/** Read here, so that looking does not allocate. */
let startTimeRead = 0;

let own: ProcessIdentity | undefined;

/**
 * The identity of a process, this one's when no number is given.
 *
 * Reads /proc through libc, which takes no `--allow-read`. System calls: `open`, `read`, `close`, `readlink`.
 *
 * @throws {NotFoundError} if there is no such process, or it is a zombie.
 * @throws {RangeError} if `pid` is not a process number.
 * @throws {NotSupportedError} if /proc is not mounted.
 *
 * @example
 * ```ts
 * import { isAlive, processIdentity } from "@ipc/core/sys";
 * import { assertEquals } from "@std/assert";
 *
 * const me = processIdentity();
 * assertEquals(me.pid, Deno.pid);
 * assertEquals(isAlive(me), "alive");
 * assertEquals(isAlive({ ...me, startTime: me.startTime + 1 }), "dead");
 * ```
 */
export function processIdentity(pid: number = Deno.pid): ProcessIdentity {
  if (!Number.isInteger(pid) || pid < 1 || pid > 0x7fff_ffff) {
    throw new RangeError(`Cannot identify process ${pid}: a process number is an integer from 1`);
  }
  own ??= identifyOwn();
  if (pid === own.pid) return own;
  const code = look(pid);
  if (code !== 0) throw failure(code === ERRNO.ENOENT ? ERRNO.ESRCH : code, "open", "identify process", pid);
  return Object.freeze({ ...own, pid, startTime: startTimeRead });
}

/**
 * Whether a process is still there: costs about 10 µs, nothing for this process itself.
 *
 * A number that another process has by now is never mistaken for the first: `"dead"`. So are zombies, which hold
 * nothing any more, and every process of an earlier boot. What another pid namespace calls by that number cannot
 * be seen from here, nor can, where /proc is mounted with `hidepid`, processes of other users: `"unknown"`.
 * System calls: `open`, `read`, `close`, `kill` with signal 0.
 */
export function isAlive(identity: ProcessIdentity): ProcessState {
  own ??= identifyOwn();
  if (identity.bootId !== own.bootId) return "dead";
  if (identity.pidNamespace !== own.pidNamespace) return "unknown";
  if (identity.pid === own.pid) return identity.startTime === own.startTime ? "alive" : "dead";
  // Numbers from elsewhere: 0 and less would mean process groups to kill(2).
  if (identity.pid < 1 || identity.pid > 0x7fff_ffff) return "dead";
  const code = look(identity.pid);
  if (code === 0) return startTimeRead === identity.startTime ? "alive" : "dead";
  if (code === ERRNO.ESRCH) return "dead";
  return libc.kill(identity.pid, 0) === -1 && errno() === ERRNO.ESRCH ? "dead" : "unknown";
}

/**
 * Writes an identity in its binary form, 24 bytes, little-endian: u64 start time, u32 pid, u32 pid namespace,
 * u64 boot id.
 *
 * @throws {RangeError} if `into` has no 24 bytes from `offset` on.
 *
 * @example
 * ```ts
 * import { decodeIdentity, encodeIdentity, processIdentity } from "@ipc/core/sys";
 * import { assertEquals } from "@std/assert";
 *
 * const me = processIdentity();
 * assertEquals(decodeIdentity(encodeIdentity(me)), me);
 * ```
 */
export function encodeIdentity<T extends Uint8Array = Bytes>(
  identity: ProcessIdentity,
  into: T = new Uint8Array(IDENTITY_SIZE) as unknown as T,
  offset = 0,
): T {
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  view.setBigUint64(offset + 16, identity.bootId, true);
  view.setBigUint64(offset, BigInt(identity.startTime), true);
  view.setUint32(offset + 8, identity.pid, true);
  view.setUint32(offset + 12, identity.pidNamespace, true);
  return into;
}

/**
 * Reads an identity from its binary form, as {@linkcode encodeIdentity} writes it.
 *
 * Any 24 bytes are an identity; that of nobody is `"dead"` or `"unknown"`.
 *
 * @throws {RangeError} if `from` has no 24 bytes from `offset` on.
 */
export function decodeIdentity(from: Uint8Array, offset = 0): ProcessIdentity {
  const view = new DataView(from.buffer, from.byteOffset, from.byteLength);
  return {
    bootId: view.getBigUint64(offset + 16, true),
    pid: view.getUint32(offset + 8, true),
    startTime: Number(view.getBigUint64(offset, true)),
    pidNamespace: view.getUint32(offset + 12, true),
  };
}

function identifyOwn(): ProcessIdentity {
  const hex = readText("/proc/sys/kernel/random/boot_id").replaceAll(/[^0-9a-f]/g, "");
  const namespace = /\d+/.exec(readLink("/proc/self/ns/pid"));
  if (hex.length !== 32 || namespace === null) {
    throw new NotSupportedError("Cannot identify this process: /proc is odd");
  }
  const code = look(Deno.pid);
  if (code !== 0) throw procFailure(code, "/proc/self/stat");
  return Object.freeze({
    bootId: BigInt(`0x${hex.slice(0, 16)}`) ^ BigInt(`0x${hex.slice(16)}`),
    pid: Deno.pid,
    startTime: startTimeRead,
    pidNamespace: Number(namespace[0]),
  });
}

/** Looks a process up; 0 and its start time in `startTimeRead`, or an errno: ESRCH if it is certainly gone. */
function look(pid: number): number {
  const fd = libc.open(cString(`/proc/${pid}/stat`), abi.O_RDONLY | abi.O_CLOEXEC, 0);
  if (fd === -1) return errno();
  let count: number;
  let code = 0;
  do {
    count = libc.read(fd, statText, STAT_LENGTH);
    if (count === -1) code = errno();
  } while (count === -1 && code === ERRNO.EINTR);
  libc.close(fd);
  if (count === -1) return code;
  return parseStat(statText.subarray(0, count));
}

/** The name in the second field may hold anything, a parenthesis and a space too: fields count from the last one. */
function parseStat(text: Uint8Array): number {
  let at = text.lastIndexOf(0x29) + 2;
  const state = text[at];
  if (state === 0x5a || state === 0x58) return ERRNO.ESRCH;
  for (let field = 3; field < 22; field++) at = text.indexOf(0x20, at) + 1;
  startTimeRead = 0;
  for (; at < text.length && text[at] !== 0x20; at++) startTimeRead = startTimeRead * 10 + text[at]! - 0x30;
  return 0;
}

function readText(path: string): string {
  const fd = libc.open(cString(path), abi.O_RDONLY | abi.O_CLOEXEC, 0);
  if (fd === -1) throw procFailure(errno(), path);
  const buffer = new Uint8Array(128);
  const count = libc.read(fd, buffer, 128n);
  const code = count === -1 ? errno() : 0;
  libc.close(fd);
  if (count === -1) throw procFailure(code, path);
  return new TextDecoder().decode(buffer.subarray(0, count));
}

function readLink(path: string): string {
  const name = cString(path);
  const buffer = new Uint8Array(64);
  const count = libc.readlink(name, buffer, 64n);
  if (count === -1) throw procFailure(errno(), path);
  return new TextDecoder().decode(buffer.subarray(0, count));
}

function procFailure(code: number, path: string): IpcError {
  if (code === ERRNO.ENOENT) {
    return new NotSupportedError(`Cannot identify this process: there is no "${path}"`, {
      code: "ENOENT",
      errno: code,
      target: path,
      hint: "mount /proc",
    });
  }
  return failure(code, "open", "read", path);
}
