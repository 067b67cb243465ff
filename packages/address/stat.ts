import type { ListedMemory, MessageQueueStatus, SemaphoreSetStatus } from "@ipc/sysv";
import { type Address, parseAddress } from "./address.ts";
import { actionOf } from "./_drivers.ts";

/** What everything with an address has. */
export interface Addressed<Type extends string> {
  /** The address: as it was given, or for objects of a list one by which they are found. */
  readonly address: string;
  /** What it is: the scheme of its address. */
  readonly type: Type;
}

/** What can be seen of a FIFO. */
export interface FifoStatus extends Addressed<"fifo"> {
  /** Its path. */
  readonly path: string;
  /** The owner's user id (st_uid). */
  readonly uid: number;
  /** The owner's group id (st_gid). */
  readonly gid: number;
  /** Permission bits (st_mode). */
  readonly mode: number;
  /** Its inode's number (st_ino). */
  readonly inode: number;
  /** When its mode, owner or name changed last (st_ctime). */
  readonly changeTime?: Date;
  /** Bytes that wait to be received (FIONREAD), where that can be known. */
  readonly available?: number;
  /** Bytes that the kernel can hold (F_GETPIPE_SZ), where that can be known. */
  readonly capacity?: number;
  /** Ids of the processes that have it open for receiving, as far as this user may see. */
  readonly readers: readonly number[];
  /** Ids of the processes that have it open for sending, as far as this user may see. */
  readonly writers: readonly number[];
}

/** What can be seen of a System V message queue. */
export interface QueueStatus extends Addressed<"sysv-msg">, MessageQueueStatus {}

/** What can be seen of a System V semaphore set. */
export interface SetStatus extends Addressed<"sysv-sem">, SemaphoreSetStatus {
  /** Its members, in their order; where this user may not read them, and in a list, left out. */
  readonly members?: readonly SetMember[];
}

/** One semaphore of a set. */
export interface SetMember {
  /** Its value (semval). */
  readonly value: number;
  /** How many processes wait for it to grow (semncnt). */
  readonly waitersForIncrease: number;
  /** How many processes wait for it to be 0 (semzcnt). */
  readonly waitersForZero: number;
  /** The process that changed it last (sempid); 0: none yet. */
  readonly lastPid: number;
}

/** What can be seen of System V shared memory. */
export interface MemoryStatus extends Addressed<"sysv-shm">, ListedMemory {
  /** Ids of the processes that have it attached, as far as this user may see; left out in a list. */
  readonly holders?: readonly number[];
}

/** What can be seen of an object without disturbing those who use it; `type` tells which. */
export type ObjectStatus = FifoStatus | QueueStatus | SetStatus | MemoryStatus;

/**
 * Looks at the object of an address and disturbs nobody who uses it. Looking for the users of FIFOs and memory
 * takes `--allow-all`; of System V objects everybody may see all else, whatever their mode.
 *
 * @throws {AddressError} if the address cannot be read, or its mechanism has no objects.
 * @throws {NotFoundError} if there is nothing.
 *
 * @example
 * ```ts
 * import { make, remove, stat } from "@ipc/address";
 * import { assertEquals } from "@std/assert";
 *
 * const address = `fifo:${await Deno.makeTempDir()}/in`;
 * await make(address);
 * const status = await stat(address);
 * assertEquals(status.mode, 0o600);
 * if (status.type === "fifo") assertEquals([status.available, status.readers], [0, []]);
 * await remove(address);
 * ```
 */
export async function stat(address: string | Address): Promise<ObjectStatus> {
  const parsed = typeof address === "string" ? parseAddress(address) : address;
  const look = actionOf(parsed, "stat");
  return await look(parsed);
}
