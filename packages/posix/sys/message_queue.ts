import { type Bytes, ERRNO } from "@ipc/core";
import { abi, check, failure } from "@ipc/core/sys";
import { constants, mqAttr, sigevent, syscalls } from "../_abi.ts";
import { kernelName, libc, onView } from "../_libc.ts";
import { complete, encodeTimespec, type Timespec } from "./_call.ts";

/** A message as mq_receive(3) gives it. */
export interface MqMessage {
  /** Its priority. */
  msg_prio: number;
  /** Its bytes. */
  msg: Bytes;
}

/** What a queue is like: `struct mq_attr`. */
export interface MqAttr {
  /** 0, or O_NONBLOCK; of this descriptor. */
  mq_flags: number;
  /** The most messages. */
  mq_maxmsg: number;
  /** The longest message in bytes. */
  mq_msgsize: number;
  /** Messages in the queue now. */
  mq_curmsgs: number;
}

/** How to be notified: `struct sigevent`. */
export interface Sigevent {
  /** SIGEV_SIGNAL or SIGEV_NONE. */
  sigev_notify: number;
  /** The signal. */
  sigev_signo?: number | undefined;
}

/** signal(7). */
const SIGUSR1 = 10;

/**
 * Opens or creates a queue, and returns its descriptor. System call: `mq_open`.
 *
 * The mode is cut by the umask. `attr` has `mq_maxmsg` and `mq_msgsize`; the kernel's defaults hold without.
 *
 * @throws {AlreadyExistsError} `EEXIST`: O_CREAT and O_EXCL were given, and the name is taken.
 * @throws {IpcError} `EINVAL`: the name has no slash, or `attr` is out of range. `ENAMETOOLONG`: more than 255 bytes.
 * @throws {LimitError} `EMFILE`, `ENOSPC`: RLIMIT_MSGQUEUE or the limit of open files; queues_max.
 * @throws {NotFoundError} `ENOENT`: there is none and O_CREAT was not given, or the name is only a slash.
 * @throws {PermissionError} `EACCES`: the mode does not permit it, or there is a second slash.
 *
 * @example
 * ```ts
 * import { constants, mq_close, mq_open, mq_unlink } from "@ipc/posix/sys";
 *
 * const { O_CREAT, O_EXCL, O_RDWR } = constants;
 * const name = `/example-${crypto.randomUUID()}`;
 * const mqdes = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0o600, { mq_maxmsg: 4, mq_msgsize: 64 });
 * mq_unlink(name);
 * mq_close(mqdes);
 * ```
 */
export function mq_open(
  name: string,
  oflag: number,
  mode = 0,
  attr?: Pick<MqAttr, "mq_maxmsg" | "mq_msgsize">,
): number {
  const path = withoutSlash("mq_open", name);
  const attributes = attr === undefined ? null : encodeAttributes(attr);
  const flags = oflag | abi.O_CLOEXEC;
  return complete(() => libc.mq_open(syscalls.mq_open, path, flags, mode, attributes), "mq_open", name);
}

/**
 * Closes a queue's descriptor. System call: `close`.
 *
 * @throws {IpcError} `EBADF`: it is not open.
 *
 * @example
 * ```ts ignore
 * import { mq_close, mq_open } from "@ipc/posix/sys";
 *
 * mq_close(mq_open("/jobs", 0));
 * ```
 */
export function mq_close(mqdes: number): void {
  check(libc.close(mqdes), "mq_close", "mq_close", mqdes);
}

/**
 * Removes a queue's name. System call: `mq_unlink`.
 *
 * @throws {NotFoundError} `ENOENT`: there is none of this name.
 * @throws {PermissionError} `EACCES`, `EPERM`: it is another user's.
 *
 * @example
 * ```ts ignore
 * import { mq_unlink } from "@ipc/posix/sys";
 *
 * mq_unlink("/jobs");
 * ```
 */
export function mq_unlink(name: string): void {
  const path = withoutSlash("mq_unlink", name);
  check(libc.mq_unlink(syscalls.mq_unlink, path), "mq_unlink", "mq_unlink", name);
}

/**
 * Sends a message; it blocks the thread while there is no room, unless the descriptor has O_NONBLOCK.
 *
 * System call: `mq_timedsend`.
 *
 * @throws {IpcError} `EAGAIN`: there is no room, with O_NONBLOCK. `EBADF`: not open for writing. `EINVAL`: the
 * priority is not below MQ_PRIO_MAX.
 * @throws {MessageTooLongError} `EMSGSIZE`: it has more than `mq_msgsize` bytes.
 *
 * @example
 * ```ts
 * import { constants, mq_close, mq_open, mq_receive, mq_send, mq_unlink } from "@ipc/posix/sys";
 * import { assertEquals } from "@std/assert";
 *
 * const { O_CREAT, O_RDWR } = constants;
 * const name = `/example-${crypto.randomUUID()}`;
 * const mqdes = mq_open(name, O_CREAT | O_RDWR, 0o600, { mq_maxmsg: 4, mq_msgsize: 64 });
 * mq_unlink(name);
 * mq_send(mqdes, new Uint8Array([1, 2]), 7);
 * assertEquals(mq_receive(mqdes, 64), { msg_prio: 7, msg: new Uint8Array([1, 2]) });
 * mq_close(mqdes);
 * ```
 */
export function mq_send(mqdes: number, msg: Uint8Array, msg_prio = 0): void {
  mq_timedsend(mqdes, msg, msg_prio);
}

/**
 * The same until a moment, by the clock of the system; for ever where it is left out. System call: `mq_timedsend`.
 *
 * @throws {IpcError} as `mq_send`; `EINVAL` also for nanoseconds out of range, where it would have to wait.
 * @throws {TimeoutError} `ETIMEDOUT`: the moment is over.
 *
 * @example
 * ```ts ignore
 * import { mq_open, mq_timedsend } from "@ipc/posix/sys";
 *
 * const second = Math.floor(Date.now() / 1000) + 1;
 * mq_timedsend(mq_open("/jobs", 1), new Uint8Array(8), 0, { sec: second, nsec: 0 });
 * ```
 */
export function mq_timedsend(mqdes: number, msg: Uint8Array, msg_prio: number, abs_timeout?: Timespec): void {
  const size = BigInt(msg.byteLength);
  const timeout = encodeTimespec(abs_timeout);
  complete(
    () => onView.mq_timedsend(syscalls.mq_timedsend, mqdes, msg as Bytes, size, msg_prio, timeout),
    "mq_send",
    mqdes,
  );
}

/**
 * Receives the oldest message of the highest priority, into a buffer of `msg_len` bytes; it blocks the thread while
 * there is none, unless the descriptor has O_NONBLOCK. System call: `mq_timedreceive`.
 *
 * @throws {IpcError} `EAGAIN`: there is none, with O_NONBLOCK. `EBADF`: not open for reading.
 * @throws {MessageTooLongError} `EMSGSIZE`: `msg_len` is less than `mq_msgsize`, however short the message is.
 * @throws {RangeError} if `msg_len` is not an integer from 0.
 *
 * @example
 * ```ts ignore
 * import { mq_open, mq_receive } from "@ipc/posix/sys";
 *
 * const { msg_prio, msg } = mq_receive(mq_open("/jobs", 0), 8192);
 * console.log(msg_prio, msg);
 * ```
 */
export function mq_receive(mqdes: number, msg_len: number): MqMessage {
  return mq_timedreceive(mqdes, msg_len);
}

/**
 * The same until a moment, by the clock of the system; for ever where it is left out. System call: `mq_timedreceive`.
 *
 * @throws {IpcError} as `mq_receive`; `EINVAL` also for nanoseconds out of range, where it would have to wait.
 * @throws {TimeoutError} `ETIMEDOUT`: the moment is over.
 *
 * @example
 * ```ts ignore
 * import { mq_open, mq_timedreceive } from "@ipc/posix/sys";
 *
 * const second = Math.floor(Date.now() / 1000) + 1;
 * console.log(mq_timedreceive(mq_open("/jobs", 0), 8192, { sec: second, nsec: 0 }));
 * ```
 */
export function mq_timedreceive(mqdes: number, msg_len: number, abs_timeout?: Timespec): MqMessage {
  if (!Number.isInteger(msg_len) || msg_len < 0) {
    throw new RangeError(`Cannot mq_receive ${msg_len} bytes: a size is an integer from 0`);
  }
  const buffer = new Uint8Array(msg_len);
  const size = BigInt(msg_len);
  const priority = new Uint32Array(1);
  const timeout = encodeTimespec(abs_timeout);
  const length = complete(
    () => onView.mq_timedreceive(syscalls.mq_timedreceive, mqdes, buffer, size, priority, timeout),
    "mq_receive",
    mqdes,
  );
  return { msg_prio: priority[0]!, msg: buffer.slice(0, length) };
}

/**
 * Looks at a queue. System call: `mq_getsetattr`.
 *
 * @throws {IpcError} `EBADF`: it is not open.
 *
 * @example
 * ```ts ignore
 * import { mq_getattr, mq_open } from "@ipc/posix/sys";
 *
 * console.log(mq_getattr(mq_open("/jobs", 0)).mq_curmsgs);
 * ```
 */
export function mq_getattr(mqdes: number): MqAttr {
  const old = new DataView(new ArrayBuffer(mqAttr.size));
  check(libc.mq_getsetattr(syscalls.mq_getsetattr, mqdes, null, old), "mq_getattr", "mq_getattr", mqdes);
  return decodeAttributes(old);
}

/**
 * Sets the flags of a descriptor, 0 or O_NONBLOCK, and returns what was before; what else `attr` says is ignored.
 *
 * System call: `mq_getsetattr`.
 *
 * @throws {IpcError} `EBADF`: it is not open. `EINVAL`: other flags.
 *
 * @example
 * ```ts ignore
 * import { constants, mq_open, mq_setattr } from "@ipc/posix/sys";
 *
 * mq_setattr(mq_open("/jobs", 0), { mq_flags: constants.O_NONBLOCK });
 * ```
 */
export function mq_setattr(mqdes: number, attr: Partial<MqAttr>): MqAttr {
  const next = encodeAttributes(attr);
  const old = new DataView(new ArrayBuffer(mqAttr.size));
  check(libc.mq_getsetattr(syscalls.mq_getsetattr, mqdes, next, old), "mq_setattr", "mq_setattr", mqdes);
  return decodeAttributes(old);
}

/**
 * Asks for one signal when a message comes into the empty queue, or with `null` no longer for one.
 *
 * SIGUSR1 is refused: it would open the inspector of the runtime to every user of the machine. For SIGEV_THREAD
 * there is `MessageQueue.notify`. System call: `mq_notify`.
 *
 * @throws {IpcError} `EBUSY`: somebody is registered. `EBADF`: it is not open. `EINVAL`: no such signal.
 * @throws {RangeError} for SIGUSR1, and what is neither SIGEV_SIGNAL nor SIGEV_NONE.
 *
 * @example
 * ```ts ignore
 * import { constants, mq_notify, mq_open } from "@ipc/posix/sys";
 *
 * const SIGUSR2 = 12;
 * Deno.addSignalListener("SIGUSR2", () => console.log("a message"));
 * mq_notify(mq_open("/jobs", 0), { sigev_notify: constants.SIGEV_SIGNAL, sigev_signo: SIGUSR2 });
 * ```
 */
export function mq_notify(mqdes: number, sevp: Sigevent | null): void {
  const event = sevp && encodeEvent(sevp);
  check(libc.mq_notify(syscalls.mq_notify, mqdes, event), "mq_notify", "mq_notify", mqdes);
}

function encodeEvent({ sigev_notify, sigev_signo = 0 }: Sigevent): DataView<ArrayBuffer> {
  if (sigev_notify !== constants.SIGEV_SIGNAL && sigev_notify !== constants.SIGEV_NONE) {
    throw new RangeError(`Cannot mq_notify by ${sigev_notify}: it is SIGEV_SIGNAL or SIGEV_NONE`);
  }
  if (sigev_signo === SIGUSR1) {
    throw new RangeError("Cannot mq_notify by SIGUSR1: it opens the inspector of the runtime");
  }
  const event = new DataView(new ArrayBuffer(sigevent.size));
  event.setInt32(sigevent.sigev_signo, sigev_signo, true);
  event.setInt32(sigevent.sigev_notify, sigev_notify, true);
  return event;
}

/** libc wants a slash, and tells the kernel what is behind it. */
function withoutSlash(call: string, name: string): Uint8Array<ArrayBuffer> {
  if (!name.startsWith("/")) throw failure(ERRNO.EINVAL, call, call, name);
  return kernelName(name);
}

function encodeAttributes(attr: Partial<MqAttr>): DataView<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(mqAttr.size));
  for (const name of ["mq_flags", "mq_maxmsg", "mq_msgsize", "mq_curmsgs"] as const) {
    view.setBigInt64(mqAttr[name], BigInt(attr[name] ?? 0), true);
  }
  return view;
}

function decodeAttributes(view: DataView): MqAttr {
  const field = (at: number) => Number(view.getBigInt64(at, true));
  return {
    mq_flags: field(mqAttr.mq_flags),
    mq_maxmsg: field(mqAttr.mq_maxmsg),
    mq_msgsize: field(mqAttr.mq_msgsize),
    mq_curmsgs: field(mqAttr.mq_curmsgs),
  };
}
