/** mq_notify(3) without a signal: the kernel sends what happened to a netlink socket, which can be waited for. */

import { ERRNO, IpcError, type WaitOptions } from "@ipc/core";
import { Waits } from "@ipc/core/base";
import { check, errno, failure, OwnedFd, waitFor } from "@ipc/core/sys";
import { constants, notification, own, sigevent, syscalls } from "./_abi.ts";
import { libc } from "./_libc.ts";
import { queueFailure } from "./_queue_failure.ts";
import type { OpenQueue } from "./_queue_open.ts";
import { attributesOf, queueStatus } from "./_queue_status.ts";

/**
 * A registration of this process with a queue, for one notification.
 *
 * It owns a socket until it is closed. The kernel drops a registration when the process closes any descriptor of the
 * queue; then it is made again in a turn of the event loop, and what the queue holds tells whether a message has come
 * in between. It does not tell where the queue held messages, all were taken, and no fewer came: what a queue has
 * seen the kernel does not count.
 */
export class Notification {
  readonly #queue: OpenQueue;
  readonly #socket: OwnedFd;
  readonly #waits: Waits;
  #registered = false;
  /** Messages in the queue when it was registered. */
  #messages = 0;

  constructor(queue: OpenQueue) {
    this.#queue = queue;
    const { AF_NETLINK, SOCK_RAW, SOCK_CLOEXEC, SOCK_NONBLOCK } = own;
    const action = `be notified of message queue "${queue.name}"`;
    this.#socket = new OwnedFd(
      check(libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket", action),
    );
    this.#waits = new Waits({ action, park: (wake) => waitFor(this.#socket.fd, "readable", wake) });
    try {
      this.#register();
    } catch (error) {
      this.#socket.close();
      throw error;
    }
  }

  /** Resolves when a message has come into the empty queue. */
  async wait(options: WaitOptions): Promise<void> {
    await this.#waits.take(() => this.#look() || undefined, options);
  }

  /** Ends the wait, with this error if it goes on, and the registration. */
  close(error: () => unknown): void {
    this.#waits.close(error);
    if (this.#registered) {
      this.#registered = false;
      libc.mq_notify(syscalls.mq_notify, this.#queue.descriptor.fd, null);
    }
    this.#socket.close();
  }

  #register(): void {
    const { descriptor, name } = this.#queue;
    // Before, so that what comes meanwhile is not taken for what was there.
    this.#messages = attributesOf(descriptor.fd, name).messages;
    const event = new DataView(new ArrayBuffer(sigevent.size));
    event.setBigUint64(sigevent.sigev_value, addressOfCookie(), true);
    event.setInt32(sigevent.sigev_signo, this.#socket.fd, true);
    event.setInt32(sigevent.sigev_notify, constants.SIGEV_THREAD, true);
    while (libc.mq_notify(syscalls.mq_notify, descriptor.fd, event) === -1) {
      const code = errno();
      if (code === ERRNO.EINTR) continue;
      if (code !== ERRNO.EBUSY) throw queueFailure(code, "mq_notify", "be notified of", name);
      const { notifiedPid } = queueStatus(descriptor.fd, name);
      const who = notifiedPid === undefined ? "another process" : `process ${notifiedPid}`;
      throw new IpcError(`Cannot be notified of message queue "${name}": ${who} is registered already`, {
        code: "EBUSY",
        errno: code,
        syscall: "mq_notify",
        target: name,
        hint: "one call of one process can be; receive waits beside others",
      });
    }
    this.#registered = true;
  }

  /** Whether the message has come. */
  #look(): boolean {
    const message = new Uint8Array(notification.size);
    for (;;) {
      const length = libc.read(this.#socket.fd, message, BigInt(notification.size));
      if (length === -1) {
        const code = errno();
        if (code === ERRNO.EINTR) continue;
        if (code === ERRNO.EAGAIN) return false;
        throw queueFailure(code, "read", "be notified of", this.#queue.name);
      }
      this.#registered = false;
      if (message[notification.kind] === notification.WOKENUP) return true;
      const before = this.#messages;
      this.#register();
      const { descriptor, name } = this.#queue;
      const { messages } = attributesOf(descriptor.fd, name);
      // Where some were taken it may have been empty, and a needless look at the queue is better than none.
      if (messages > 0 && (before === 0 || messages < before)) return true;
    }
  }
}

let cookie: bigint | undefined;

/** The address of the bytes that the kernel sends back: allocated once, for whatever they say. */
function addressOfCookie(): bigint {
  if (cookie !== undefined) return cookie;
  const address = new BigUint64Array(1);
  const code = libc.posix_memalign(address, 16n, BigInt(notification.size));
  if (code !== 0) throw failure(code, "posix_memalign", "allocate memory for a notification");
  return cookie = address[0]!;
}
