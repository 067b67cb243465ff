import type { Bytes } from "@ipc/core";
import { check } from "@ipc/core/sys";
import { msqidDs, MTYPE_SIZE } from "../_abi.ts";
import { libc } from "../_libc.ts";
import { checkRoom, complete } from "./_call.ts";

/** A message as msgrcv(2) gives it: `struct msgbuf`. */
export interface Msgbuf {
  /** The type. */
  mtype: bigint;
  /** The bytes. */
  mtext: Bytes;
}

/**
 * Finds or creates a message queue, and returns its id. System call: `msgget`.
 *
 * @throws {AlreadyExistsError} `EEXIST`: IPC_CREAT and IPC_EXCL were given, and the key is taken.
 * @throws {LimitError} `ENOSPC`, `ENOMEM`: MSGMNI queues exist, or there is no memory.
 * @throws {NotFoundError} `ENOENT`: there is none, and IPC_CREAT was not given.
 * @throws {PermissionError} `EACCES`: the mode bits in `msgflg` ask for more than is permitted.
 *
 * @example
 * ```ts
 * import { constants, msgctl, msgget } from "@ipc/sysv/sys";
 *
 * const id = msgget(constants.IPC_PRIVATE, constants.IPC_CREAT | 0o600);
 * msgctl(id, constants.IPC_RMID);
 * ```
 */
export function msgget(key: number, msgflg: number): number {
  return check(libc.msgget(key, msgflg), "msgget", "msgget", key);
}

/**
 * Puts a message into a queue; without IPC_NOWAIT it blocks the thread while there is no room. System call: `msgsnd`.
 *
 * @throws {IpcError} `EAGAIN`: there is no room, with IPC_NOWAIT. `EINVAL`: bad id, type below 1, or more than MSGMAX bytes.
 * @throws {PermissionError} `EACCES`: no permission to write.
 * @throws {RemovedError} `EIDRM`: removed while this waited.
 *
 * @example
 * ```ts
 * import { constants, msgctl, msgget, msgsnd } from "@ipc/sysv/sys";
 *
 * const id = msgget(constants.IPC_PRIVATE, 0o600);
 * msgsnd(id, 1, new Uint8Array([1, 2, 3]), constants.IPC_NOWAIT);
 * msgctl(id, constants.IPC_RMID);
 * ```
 */
export function msgsnd(msqid: number, mtype: number | bigint, mtext: Uint8Array, msgflg = 0): void {
  const message = new Uint8Array(MTYPE_SIZE + mtext.byteLength);
  new DataView(message.buffer).setBigInt64(0, BigInt(mtype), true);
  message.set(mtext, MTYPE_SIZE);
  const size = BigInt(mtext.byteLength);
  complete(() => libc.msgsnd(msqid, message, size, msgflg), "msgsnd", msqid);
}

/**
 * Takes a message out of a queue; without IPC_NOWAIT it blocks the thread while there is none. System call: `msgrcv`.
 *
 * `msgtyp` 0 takes the first message, n the first of type n (with MSG_EXCEPT: of another type), -n the first of the
 * lowest type up to n. With MSG_COPY it is an index, and the message stays.
 *
 * @throws {IpcError} `E2BIG`: the message has more than `msgsz` bytes, and MSG_NOERROR was not given. `ENOMSG`: there
 * is none, with IPC_NOWAIT. `EINVAL`: bad id or flags.
 * @throws {PermissionError} `EACCES`: no permission to read.
 * @throws {RangeError} if `msgsz` is not an integer from 0.
 * @throws {RemovedError} `EIDRM`: removed while this waited.
 *
 * @example
 * ```ts
 * import { constants, msgctl, msgget, msgrcv, msgsnd } from "@ipc/sysv/sys";
 * import { assertEquals } from "@std/assert";
 *
 * const id = msgget(constants.IPC_PRIVATE, 0o600);
 * msgsnd(id, 2, new Uint8Array([1, 2, 3]));
 * const { mtype, mtext } = msgrcv(id, 2, -5, constants.MSG_NOERROR);
 * assertEquals([mtype, [...mtext]], [2n, [1, 2]]);
 * msgctl(id, constants.IPC_RMID);
 * ```
 */
export function msgrcv(msqid: number, msgsz: number, msgtyp: number | bigint = 0, msgflg = 0): Msgbuf {
  if (!Number.isInteger(msgsz) || msgsz < 0) {
    throw new RangeError(`Cannot msgrcv ${msgsz} bytes: a size is an integer from 0`);
  }
  const message = new Uint8Array(MTYPE_SIZE + msgsz);
  const size = BigInt(msgsz);
  const type = BigInt(msgtyp);
  const length = complete(() => libc.msgrcv(msqid, message, size, type, msgflg), "msgrcv", msqid);
  return {
    mtype: new DataView(message.buffer).getBigInt64(0, true),
    mtext: message.slice(MTYPE_SIZE, MTYPE_SIZE + length),
  };
}

/**
 * Looks at a queue, changes or removes it. System call: `msgctl`.
 *
 * Returns the id after MSG_STAT, the highest index in use after IPC_INFO and MSG_INFO, otherwise 0.
 *
 * @throws {IpcError} `EINVAL`: bad id or command.
 * @throws {PermissionError} `EACCES`, `EPERM`: no permission to read, or to change.
 * @throws {RangeError} if there is no room in `buf` for a `struct msqid_ds`.
 *
 * @example
 * ```ts
 * import { constants, msgctl, msgget, msqidDs } from "@ipc/sysv/sys";
 * import { assertEquals } from "@std/assert";
 *
 * const id = msgget(constants.IPC_PRIVATE, 0o600);
 * const buf = new Uint8Array(msqidDs.size);
 * msgctl(id, constants.IPC_STAT, buf);
 * assertEquals(new DataView(buf.buffer).getBigUint64(msqidDs.qnum, true), 0n);
 * msgctl(id, constants.IPC_RMID);
 * ```
 */
export function msgctl(msqid: number, cmd: number, buf: Uint8Array<ArrayBuffer> | null = null): number {
  checkRoom("msgctl", buf, msqidDs.size);
  return check(libc.msgctl(msqid, cmd, buf), "msgctl", "msgctl", msqid);
}
