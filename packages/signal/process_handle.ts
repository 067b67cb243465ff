import type { WaitOptions } from "@ipc/core";
import { ClosedError, ERRNO, errnoError } from "@ipc/core";
import { Waits } from "@ipc/core/base";
import { abi, check, errno, OwnedFd, waitFor } from "@ipc/core/sys";
import { SYS_PIDFD_OPEN, SYS_PIDFD_SEND_SIGNAL } from "./_abi.ts";
import { libc } from "./_libc.ts";
import { checkPid } from "./_pid.ts";
import { sendFailure, type SendOptions, siginfo, toSend } from "./_sending.ts";
import type { SignalName } from "./names.ts";

/**
 * One process, held by a pidfd: whoever gets its number later is never taken for it.
 *
 * It owns the descriptor until `close`. It tells when the process ends, also of one that is nobody's child, and sends
 * signals to no other. Needs `--allow-ffi`; Linux 5.3.
 *
 * @example
 * ```ts
 * import { ProcessHandle } from "@ipc/signal";
 * import { assertEquals } from "@std/assert";
 *
 * const child = new Deno.Command("sleep", { args: ["60"] }).spawn();
 * using process = ProcessHandle.open(child.pid);
 * assertEquals(process.alive, true);
 * process.send("SIGTERM");
 * await process.ended({ timeout: 5000 });
 * assertEquals((await child.status).signal, "SIGTERM");
 * ```
 */
export class ProcessHandle implements Disposable {
  /** Its number, as it was when it was opened; `undefined` where only a pidfd was given. */
  readonly pid: number | undefined;
  readonly #fd: OwnedFd;
  readonly #line: Waits;

  /** Takes over a pidfd, such as that of a socket's peer. */
  constructor(pidfd: OwnedFd, pid?: number) {
    this.pid = pid;
    this.#fd = pidfd;
    this.#line = new Waits({
      action: `wait for the end of ${this.#name}`,
      park: (wake) => waitFor(this.#fd.fd, "readable", wake),
    });
  }

  /**
   * Opens a process that is there now. System call: `pidfd_open`.
   *
   * @throws {NotFoundError} if there is no such process.
   * @throws {RangeError} if `pid` is not an integer from 1.
   * @throws {LimitError} if this process has no descriptor left.
   *
   * @example
   * ```ts
   * import { NotFoundError } from "@ipc/core";
   * import { ProcessHandle } from "@ipc/signal";
   * import { assertThrows } from "@std/assert";
   *
   * const child = new Deno.Command("true").spawn();
   * await child.status;
   * assertThrows(() => ProcessHandle.open(child.pid), NotFoundError);
   * ```
   */
  static open(pid: number): ProcessHandle {
    checkPid(pid, "open");
    const fd = check(libc.pidfd_open(SYS_PIDFD_OPEN, pid, 0), "pidfd_open", "open process", pid);
    return new ProcessHandle(new OwnedFd(fd), pid);
  }

  /**
   * The pidfd, which stays this object's.
   *
   * @throws {ClosedError} after `close`.
   */
  get fd(): number {
    return this.#fd.fd;
  }

  /**
   * Whether it has not ended yet; a zombie has. System call: `poll`.
   *
   * @throws {ClosedError} after `close`.
   */
  get alive(): boolean {
    const { fd } = this.#fd;
    for (;;) {
      POLLFD.setInt32(0, fd, true);
      POLLFD.setInt16(4, abi.POLLIN, true);
      POLLFD.setInt16(6, 0, true);
      const count = libc.poll(POLLFD, 1n, 0);
      if (count !== -1) return count === 0;
      const code = errno();
      if (code !== ERRNO.EINTR) {
        throw errnoError(code, { syscall: "poll", action: `look at ${this.#name}`, target: String(fd) });
      }
    }
  }

  /**
   * Sends a signal to it and to no other. System call: `pidfd_send_signal`.
   *
   * @throws {NotFoundError} if it has ended.
   * @throws {PermissionError} if it is somebody else's.
   * @throws {LimitError} if too many signals wait already (RLIMIT_SIGPENDING).
   * @throws {TypeError} if there is no such signal, or it is SIGUSR1.
   * @throws {ClosedError} after `close`.
   */
  send(signal: SignalName, options: SendOptions = {}): void {
    const { fd } = this.#fd;
    const { number, value } = toSend(signal, options);
    const info = value === undefined ? null : siginfo(number, value);
    if (libc.pidfd_send_signal(SYS_PIDFD_SEND_SIGNAL, fd, number, info, 0) === 0) return;
    throw sendFailure(errno(), "pidfd_send_signal", signal, this.#name);
  }

  /**
   * Resolves when it has ended; keeps this process alive until then. System call: `epoll_wait`.
   *
   * How it ended only its parent can know.
   *
   * @throws {TimeoutError} if it has not within `timeout`.
   * @throws {ClosedError} if the handle is closed.
   */
  async ended(options: WaitOptions = {}): Promise<void> {
    this.#fd.fd;
    await this.#line.take(() => this.alive ? undefined : true, options);
  }

  /** Gives the descriptor back: waits reject with a `ClosedError`. Calling it again does nothing. System call: `close`. */
  close(): void {
    if (this.#fd.closed) return;
    this.#line.close(() => new ClosedError(`Cannot wait for the end of ${this.#name}: it was closed here`));
    this.#fd.close();
  }

  /** The same as {@linkcode ProcessHandle.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  get #name(): string {
    return this.pid === undefined ? "a process" : `process ${this.pid}`;
  }
}

const POLLFD = new DataView(new ArrayBuffer(8));
