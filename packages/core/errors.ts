/**
 * The errors of this project, by meaning, each with what the kernel said.
 *
 * @module
 */

/** What an {@linkcode IpcError} may carry besides its message. */
export interface IpcErrorOptions extends ErrorOptions {
  /** The symbolic name, such as `"EAGAIN"`. */
  code?: string | undefined;
  /** The kernel's number for it. */
  errno?: number | undefined;
  /** The system call that failed. */
  syscall?: string | undefined;
  /** The path, name, key or descriptor that the call was about. */
  target?: string | undefined;
  /** What to do about it. */
  hint?: string | undefined;
}

/**
 * The base of every error that this project throws on purpose, bad arguments excepted.
 *
 * @example
 * ```ts
 * import { IpcError } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new IpcError("Cannot open queue \"/jobs\": no such queue", { code: "ENOENT" });
 * assertEquals(error.code, "ENOENT");
 * ```
 */
export class IpcError extends Error {
  /** The symbolic name, such as `"EAGAIN"`; where no system call failed, each class has one of its own. */
  readonly code: string;
  /** The kernel's number, where a system call failed. */
  readonly errno: number | undefined;
  /** The system call that failed, where one did. */
  readonly syscall: string | undefined;
  /** The path, name, key or descriptor that the call was about. */
  readonly target: string | undefined;
  /** What to do about it, where something helps. */
  readonly hint: string | undefined;
  /** True when bytes of the message had already left: the endpoint sends the rest before anything else. */
  partial?: boolean;
  /** How many messages of a batch were sent before the error. */
  sent?: number;

  /** Makes an error; the message starts with a capital and says what was tried, on what, and why it failed. */
  constructor(message: string, options: IpcErrorOptions = {}) {
    super(message, options);
    this.name = new.target.name;
    this.code = options.code ?? "EIPC";
    this.errno = options.errno;
    this.syscall = options.syscall;
    this.target = options.target;
    this.hint = options.hint;
  }
}

/** The options with the code of the class where they name none. */
function withCode(code: string, options: IpcErrorOptions): IpcErrorOptions {
  return { ...options, code: options.code ?? code };
}

/**
 * What was to be opened does not exist (ENOENT, ENXIO, ESRCH).
 *
 * @example
 * ```ts
 * import { NotFoundError } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new NotFoundError('Cannot open queue "/jobs": no such queue').code, "ENOENT");
 * ```
 */
export class NotFoundError extends IpcError {
  /** Makes an error; its code is `"ENOENT"` unless told. */
  constructor(message: string, options: IpcErrorOptions = {}) {
    super(message, withCode("ENOENT", options));
  }
}
/**
 * What was to be created exists already (EEXIST).
 *
 * @example
 * ```ts
 * import { AlreadyExistsError } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new AlreadyExistsError('Cannot create FIFO "/run/in": exists already').code, "EEXIST");
 * ```
 */
export class AlreadyExistsError extends IpcError {
  /** Makes an error; its code is `"EEXIST"` unless told. */
  constructor(message: string, options: IpcErrorOptions = {}) {
    super(message, withCode("EEXIST", options));
  }
}
/**
 * The kernel refuses it to this user (EACCES, EPERM).
 *
 * @example
 * ```ts
 * import { PermissionError } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new PermissionError('Cannot open FIFO "/run/in": permission denied').code, "EACCES");
 * ```
 */
export class PermissionError extends IpcError {
  /** Makes an error; its code is `"EACCES"` unless told. */
  constructor(message: string, options: IpcErrorOptions = {}) {
    super(message, withCode("EACCES", options));
  }
}
/**
 * The time given for a wait is over (ETIMEDOUT).
 *
 * After a send with `partial` set, bytes of the message have left and the rest still follows.
 *
 * @example
 * ```ts
 * import { TimeoutError } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new TimeoutError('Cannot receive: nothing happened within 50 ms').code, "ETIMEDOUT");
 * ```
 */
export class TimeoutError extends IpcError {
  /** Makes an error; its code is `"ETIMEDOUT"` unless told. */
  constructor(message: string, options: IpcErrorOptions = {}) {
    super(message, withCode("ETIMEDOUT", options));
  }
}
/**
 * A message could not be decoded; `data` has its bytes, and the next message follows.
 *
 * @example
 * ```ts
 * import { DecodeError, text } from "@ipc/core";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const error = assertThrows(() => text.decode(new Uint8Array([0xff])), DecodeError);
 * assertEquals(error.data, new Uint8Array([0xff]));
 * ```
 */
export class DecodeError extends IpcError {
  /** The bytes that could not be decoded. */
  readonly data: unknown;
  /** Makes an error that carries the bytes which could not be decoded; its code is `"EDECODE"` unless told. */
  constructor(message: string, data: unknown, options: IpcErrorOptions = {}) {
    super(message, withCode("EDECODE", options));
    this.data = data;
  }
}
/**
 * The object was removed while in use (EIDRM, and the EINVAL that follows it).
 *
 * @example
 * ```ts
 * import { RemovedError } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new RemovedError('Cannot receive: the object was removed').code, "EIDRM");
 * ```
 */
export class RemovedError extends IpcError {
  /** Makes an error; its code is `"EIDRM"` unless told. */
  constructor(message: string, options: IpcErrorOptions = {}) {
    super(message, withCode("EIDRM", options));
  }
}
/**
 * The owner of a lock died while holding it (EOWNERDEAD).
 *
 * @example
 * ```ts
 * import { OwnerDiedError } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new OwnerDiedError('Cannot lock: the owner died').code, "EOWNERDEAD");
 * ```
 */
export class OwnerDiedError extends IpcError {
  /** Makes an error; its code is `"EOWNERDEAD"` unless told. */
  constructor(message: string, options: IpcErrorOptions = {}) {
    super(message, withCode("EOWNERDEAD", options));
  }
}
/**
 * The state that a lock guards was given up (ENOTRECOVERABLE).
 *
 * @example
 * ```ts
 * import { NotRecoverableError } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new NotRecoverableError('Cannot lock: the state cannot be recovered').code, "ENOTRECOVERABLE");
 * ```
 */
export class NotRecoverableError extends IpcError {
  /** Makes an error; its code is `"ENOTRECOVERABLE"` unless told. */
  constructor(message: string, options: IpcErrorOptions = {}) {
    super(message, withCode("ENOTRECOVERABLE", options));
  }
}
/**
 * The message is longer than the mechanism, or this channel, carries (EMSGSIZE, E2BIG).
 *
 * @example
 * ```ts
 * import { MessageTooLongError } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new MessageTooLongError('Cannot send: the message has 9000 bytes, the limit is 8192').code, "EMSGSIZE");
 * ```
 */
export class MessageTooLongError extends IpcError {
  /** Makes an error; its code is `"EMSGSIZE"` unless told. */
  constructor(message: string, options: IpcErrorOptions = {}) {
    super(message, withCode("EMSGSIZE", options));
  }
}
/**
 * The sender went away inside a message; the part that arrived is not delivered as one.
 *
 * @example
 * ```ts
 * import { TruncatedError } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new TruncatedError('Cannot receive: the stream ended inside a message, after 3 of 10 bytes').code, "ETRUNCATED");
 * ```
 */
export class TruncatedError extends IpcError {
  /** Makes an error; its code is `"ETRUNCATED"` unless told. */
  constructor(message: string, options: IpcErrorOptions = {}) {
    super(message, withCode("ETRUNCATED", options));
  }
}
/**
 * A limit of the system or of this library was reached (ENOSPC, EMFILE, ENFILE, ENOMEM, EDQUOT, ENOBUFS).
 *
 * @example
 * ```ts
 * import { LimitError } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new LimitError('Cannot send: 16777216 bytes wait already').code, "ENOBUFS");
 * ```
 */
export class LimitError extends IpcError {
  /** Makes an error; its code is `"ENOBUFS"` unless told. */
  constructor(message: string, options: IpcErrorOptions = {}) {
    super(message, withCode("ENOBUFS", options));
  }
}
/**
 * Nobody can receive any more (EPIPE, ECONNRESET).
 *
 * @example
 * ```ts
 * import { BrokenPipeError } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new BrokenPipeError('Cannot send: nobody can receive any more').code, "EPIPE");
 * ```
 */
export class BrokenPipeError extends IpcError {
  /** Makes an error; its code is `"EPIPE"` unless told. */
  constructor(message: string, options: IpcErrorOptions = {}) {
    super(message, withCode("EPIPE", options));
  }
}
/**
 * The handle was closed by this process.
 *
 * @example
 * ```ts
 * import { ClosedError } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new ClosedError('Cannot send: the channel is closed').code, "ECLOSED");
 * ```
 */
export class ClosedError extends IpcError {
  /** Makes an error; its code is `"ECLOSED"` unless told. */
  constructor(message: string, options: IpcErrorOptions = {}) {
    super(message, withCode("ECLOSED", options));
  }
}
/**
 * This platform, kernel or object cannot do it (ENOSYS, EOPNOTSUPP).
 *
 * @example
 * ```ts
 * import { NotSupportedError } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new NotSupportedError('Cannot use libc on this platform').code, "EOPNOTSUPP");
 * ```
 */
export class NotSupportedError extends IpcError {
  /** Makes an error; its code is `"EOPNOTSUPP"` unless told. */
  constructor(message: string, options: IpcErrorOptions = {}) {
    super(message, withCode("EOPNOTSUPP", options));
  }
}
/**
 * What was found belongs to somebody else, or is not what it should be.
 *
 * @example
 * ```ts
 * import { UntrustedError } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new UntrustedError('Cannot open FIFO "/run/in": it belongs to another user').code, "EUNTRUSTED");
 * ```
 */
export class UntrustedError extends IpcError {
  /** Makes an error; its code is `"EUNTRUSTED"` unless told. */
  constructor(message: string, options: IpcErrorOptions = {}) {
    super(message, withCode("EUNTRUSTED", options));
  }
}
/**
 * Two sides disagree about the layout of shared memory.
 *
 * @example
 * ```ts
 * import { LayoutMismatchError } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new LayoutMismatchError('Cannot open the ring: its version is 2, ours is 1').code, "ELAYOUT");
 * ```
 */
export class LayoutMismatchError extends IpcError {
  /** Makes an error; its code is `"ELAYOUT"` unless told. */
  constructor(message: string, options: IpcErrorOptions = {}) {
    super(message, withCode("ELAYOUT", options));
  }
}
