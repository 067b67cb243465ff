import type { LogStatus } from "@ipc/file";
import type { ListedObject, ListedSemaphore, ListedSharedMemory } from "@ipc/posix";
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

/** What can be seen of a POSIX message queue; of one that this user may not read, in less. */
export interface NamedQueueStatus extends Addressed<"mq">, ListedObject {
  /** Messages in the queue now (mq_curmsgs). */
  readonly messages?: number;
  /** The most messages in the queue (mq_maxmsg). */
  readonly maxMessages?: number;
  /** The longest message in bytes (mq_msgsize). */
  readonly maxMessageSize?: number;
  /** Bytes of all messages in the queue (QSIZE). */
  readonly bytes?: number | undefined;
  /** The process that is to be notified (NOTIFY_PID). */
  readonly notifiedPid?: number | undefined;
  /** Ids of the processes that have it open for receiving, as far as this user may see; left out in a list. */
  readonly readers?: readonly number[];
  /** Ids of the processes that have it open for sending, as far as this user may see; left out in a list. */
  readonly writers?: readonly number[];
}

/** What can be seen of a POSIX semaphore. */
export interface NamedSemaphoreStatus extends Addressed<"sem">, ListedSemaphore {
  /** Ids of the processes that have it open, as far as this user may see; left out in a list. */
  readonly holders?: readonly number[];
}

/** What can be seen of POSIX shared memory. */
export interface NamedMemoryStatus extends Addressed<"shm">, ListedSharedMemory {
  /** Ids of the processes that have it mapped, as far as this user may see; left out in a list. */
  readonly holders?: readonly number[];
}

/** What can be seen of a mapped file. */
export interface MappedFileStatus extends Addressed<"mmap"> {
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
  /** Its length in bytes (st_size). */
  readonly size: number;
  /** When it was written last, as far as the system has noticed (st_mtime). */
  readonly modifyTime?: Date;
  /** Ids of the processes that have it mapped, as far as this user may see. */
  readonly holders: readonly number[];
}

/** What can be seen of a unix socket that listens, or of one that receives datagrams. */
export interface SocketStatus extends Addressed<"unix" | "unix-seqpacket" | "unix-dgram"> {
  /** Its path, or `@` and an abstract name. */
  readonly path: string;
  /** The owner's user id (st_uid); of an abstract name and of what cannot be looked at, neither owner nor mode are known. */
  readonly uid?: number;
  /** The owner's group id (st_gid). */
  readonly gid?: number;
  /** Permission bits (st_mode): who may write may connect. */
  readonly mode?: number;
  /** Whether a socket is there: otherwise the path is what a process that has ended left behind. */
  readonly open: boolean;
  /** Connections that were made there and are open, accepted or not; datagrams have none. */
  readonly connections: number;
  /** Ids of the processes that have it open, as far as this user may see. */
  readonly holders: readonly number[];
}

/** What can be seen of a socket of the network that listens, or of one that receives datagrams; TLS and WebSockets are TCP. */
export interface NetworkStatus extends Addressed<"tcp" | "udp"> {
  /** The address that it is bound to, as a number; `0.0.0.0` and `::` are every address of this machine. */
  readonly host: string;
  /** Its port. */
  readonly port: number;
  /** The user who made it. */
  readonly uid: number;
  /** There is none: whoever reaches the port may connect. */
  readonly mode?: undefined;
  /** Connections that were made there and are open, accepted or not; datagrams have none. */
  readonly connections?: number;
  /** Connections that wait to be accepted. */
  readonly waiting?: number;
  /** Bytes of datagrams that wait to be received. */
  readonly available?: number;
  /** Datagrams for which there was no room. */
  readonly dropped?: number;
  /** Ids of the processes that have it open, as far as this user may see. */
  readonly holders: readonly number[];
}

/** What can be seen of a log. */
export interface LogFileStatus extends Addressed<"file">, LogStatus {
  /** Its path. */
  readonly path: string;
  /** The owner's user id (st_uid). */
  readonly uid: number;
  /** The owner's group id (st_gid). */
  readonly gid: number;
  /** Permission bits of its files (st_mode). */
  readonly mode: number;
  /** When something was appended last (st_mtime), where anything was. */
  readonly modifyTime?: Date;
}

/** What can be seen of an object without disturbing those who use it; `type` tells which. */
export type ObjectStatus =
  | FifoStatus
  | QueueStatus
  | SetStatus
  | MemoryStatus
  | NamedQueueStatus
  | NamedSemaphoreStatus
  | NamedMemoryStatus
  | MappedFileStatus
  | SocketStatus
  | NetworkStatus
  | LogFileStatus;

/**
 * Looks at the object of an address and disturbs nobody who uses it. Looking for its users takes `--allow-all`;
 * everybody may see all else, whatever the mode, but for what is in a POSIX queue and the values of semaphores.
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
