import { check } from "@ipc/core/sys";
import { constants, msginfo, seminfo, shmInfo, shminfo } from "./_abi.ts";
import { type Kind, memoryKind, queueKind, setKind } from "./_kinds.ts";

/** The kernel's names of its limits. */
export type LimitName =
  | "MSGMAX"
  | "MSGMNB"
  | "MSGMNI"
  | "SEMMSL"
  | "SEMMNS"
  | "SEMOPM"
  | "SEMMNI"
  | "SEMVMX"
  | "SHMMAX"
  | "SHMALL"
  | "SHMMNI";

/** One limit of the kernel for System V objects. */
export interface Limit {
  /** The kernel's name for it. */
  readonly name: LimitName;
  /** What it limits, in a few words. */
  readonly meaning: string;
  /** The most there may be. Beyond 2^53, where it means "no limit", it is the nearest number. */
  readonly limit: number;
  /** What `limit` and `used` count; pages are those of `getconf PAGESIZE`. */
  readonly unit: "bytes" | "pages" | "queues" | "sets" | "segments" | "semaphores" | "operations" | "units";
  /** How much of it is in use now, by everybody; `undefined` where it limits one object or call. */
  readonly used: number | undefined;
  /** `used` in percent of `limit`, not rounded; `undefined` where `used` is. */
  readonly percent: number | undefined;
}

/**
 * The kernel's limits for System V objects in this IPC namespace, and how much of them is in use.
 *
 * They are set under /proc/sys/kernel: `msgmax`, `msgmnb`, `msgmni`, `sem` (SEMMSL, SEMMNS, SEMOPM and SEMMNI),
 * `shmmax`, `shmall` and `shmmni`. SEMVMX cannot be changed. System calls: `msgctl`, `semctl`, `shmctl`.
 *
 * @throws {NotSupportedError} if the kernel was built without System V objects.
 *
 * @example
 * ```ts
 * import { limits } from "@ipc/sysv";
 * import { assertEquals } from "@std/assert";
 *
 * const semvmx = limits().find(({ name }) => name === "SEMVMX");
 * assertEquals(semvmx?.limit, 32767);
 * ```
 */
export function limits(): Limit[] {
  const msg = ask(queueKind, constants.MSG_INFO, msginfo.size);
  const sem = ask(setKind, constants.SEM_INFO, seminfo.size);
  const shm = ask(memoryKind, constants.IPC_INFO, shminfo.size);
  const shmUse = ask(memoryKind, constants.SHM_INFO, shmInfo.size);
  return [
    limit("MSGMAX", "bytes in one message", "bytes", int(msg, msginfo.msgmax)),
    limit(
      "MSGMNB",
      "bytes in one queue, unless its creator says otherwise",
      "bytes",
      int(msg, msginfo.msgmnb),
    ),
    limit("MSGMNI", "message queues", "queues", int(msg, msginfo.msgmni), int(msg, msginfo.msgpool)),
    limit("SEMMSL", "semaphores in one set", "semaphores", int(sem, seminfo.semmsl)),
    limit(
      "SEMMNS",
      "semaphores in all sets",
      "semaphores",
      int(sem, seminfo.semmns),
      int(sem, seminfo.semaem),
    ),
    limit("SEMOPM", "operations in one call", "operations", int(sem, seminfo.semopm)),
    limit("SEMMNI", "semaphore sets", "sets", int(sem, seminfo.semmni), int(sem, seminfo.semusz)),
    limit("SEMVMX", "the value of a semaphore", "units", int(sem, seminfo.semvmx)),
    limit("SHMMAX", "bytes in one segment of shared memory", "bytes", long(shm, shminfo.shmmax)),
    limit(
      "SHMALL",
      "pages of shared memory",
      "pages",
      long(shm, shminfo.shmall),
      long(shmUse, shmInfo.shm_tot),
    ),
    limit(
      "SHMMNI",
      "segments of shared memory",
      "segments",
      long(shm, shminfo.shmmni),
      int(shmUse, shmInfo.used_ids),
    ),
  ];
}

function limit(name: LimitName, meaning: string, unit: Limit["unit"], limit: number, used?: number): Limit {
  const percent = used === undefined ? undefined : limit === 0 ? 100 : used / limit * 100;
  return { name, meaning, limit, unit, used, percent };
}

function ask(kind: Kind, command: number, size: number): DataView {
  const buffer = new Uint8Array(size);
  check(kind.control(0, command, buffer), kind.controller, `ask for the limits of each ${kind.object}`);
  return new DataView(buffer.buffer);
}

function int(view: DataView, offset: number): number {
  return view.getInt32(offset, true);
}

function long(view: DataView, offset: number): number {
  return Number(view.getBigUint64(offset, true));
}
