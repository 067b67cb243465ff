/**
 * From the kernel's number to an error.
 *
 * @module
 */

import { describeErrno, errnoName } from "./errno.ts";
import {
  AlreadyExistsError,
  BrokenPipeError,
  IpcError,
  type IpcErrorOptions,
  LimitError,
  MessageTooLongError,
  NotFoundError,
  NotRecoverableError,
  NotSupportedError,
  OwnerDiedError,
  PermissionError,
  RemovedError,
  TimeoutError,
} from "./errors.ts";

const CLASSES: Record<string, new (message: string, options?: IpcErrorOptions) => IpcError> = {
  ENOENT: NotFoundError,
  ENXIO: NotFoundError,
  ESRCH: NotFoundError,
  EEXIST: AlreadyExistsError,
  EACCES: PermissionError,
  EPERM: PermissionError,
  ETIMEDOUT: TimeoutError,
  EIDRM: RemovedError,
  EOWNERDEAD: OwnerDiedError,
  ENOTRECOVERABLE: NotRecoverableError,
  EMSGSIZE: MessageTooLongError,
  E2BIG: MessageTooLongError,
  ENOSPC: LimitError,
  EMFILE: LimitError,
  ENFILE: LimitError,
  ENOMEM: LimitError,
  EDQUOT: LimitError,
  ENOBUFS: LimitError,
  EPIPE: BrokenPipeError,
  ECONNRESET: BrokenPipeError,
  ENOSYS: NotSupportedError,
  EOPNOTSUPP: NotSupportedError,
  EPROTONOSUPPORT: NotSupportedError,
  ESOCKTNOSUPPORT: NotSupportedError,
  EAFNOSUPPORT: NotSupportedError,
};

const HINTS: Record<string, string> = {
  EMFILE: "close what is not needed, or raise the limit of open files (ulimit -n)",
  ENFILE: "the whole system is out of open files (sysctl fs.file-max)",
  ENOMEM: "free memory, or raise this process's limit of it (ulimit -v, or the container's)",
  EDQUOT: "remove files, or ask for a larger disk quota",
  EROFS: "choose a path on a file system that can be written, such as one under /run or /tmp",
  ENAMETOOLONG: "a path has at most 4095 bytes, and each name in it 255",
  ENOSYS: "the kernel is too old for this call, or a sandbox (seccomp, gVisor) forbids it",
};

/** What {@linkcode errnoError} is told about a failed system call. */
export interface ErrnoContext {
  /** The system call. */
  syscall: string;
  /** What was tried, as it follows "Cannot": `create pipe`, `open FIFO "/run/in"`. */
  action: string;
  /** The path, name, key or descriptor. */
  target?: string | undefined;
  /** What the target is, `FIFO` or `queue`: where there is none, the message says "no such queue". */
  object?: string | undefined;
  /** What to do about it, where this caller knows better than the general hint. */
  hint?: string | undefined;
}

/**
 * The error for an errno: the class by meaning, the message by what was tried.
 *
 * @example
 * ```ts
 * import { errnoError, NotFoundError } from "@ipc/core";
 * import { assertInstanceOf } from "@std/assert";
 *
 * const error = errnoError(2, { syscall: "open", action: 'open FIFO "/run/in"', target: "/run/in" });
 * assertInstanceOf(error, NotFoundError);
 * ```
 */
export function errnoError(errno: number, context: ErrnoContext): IpcError {
  const code = errnoName(errno);
  const kind = CLASSES[code] ?? IpcError;
  const { action, object } = context;
  const reason = object !== undefined && code === "ENOENT" ? `no such ${object}` : describeErrno(errno);
  return new kind(`Cannot ${action}: ${reason}`, {
    code,
    errno,
    syscall: context.syscall,
    target: context.target,
    hint: context.hint ?? HINTS[code],
  });
}
