/** Signals that were blocked when the program was started, as the kernel queues them: signalfd(2). */

import { ERRNO } from "@ipc/core";
import type { Source } from "@ipc/core/base";
import { abi, check, errno, failure, OwnedFd, waitFor } from "@ipc/core/sys";
import { SI_QUEUE, SI_TKILL, SI_USER, signalfdLayout, SIGSET_SIZE } from "./_abi.ts";
import { libc } from "./_libc.ts";
import { type SignalName, signalName, signalNumber } from "./names.ts";
import type { ReceivedSignal } from "./signals.ts";

const LENGTH = BigInt(signalfdLayout.size);
const record = new DataView(new ArrayBuffer(signalfdLayout.size));
const pollfd = new DataView(new ArrayBuffer(8));

/** Whether a signal is blocked in this thread: each has inherited what the program was started with. */
export function startedBlocked(number: number): boolean {
  const set = new BigUint64Array(SIGSET_SIZE / 8);
  // With no set to change it to, it only tells.
  check(libc.sigprocmask(0, null, set), "rt_sigprocmask", "hear signals");
  return (set[0]! >> BigInt(number - 1) & 1n) === 1n;
}

/** A {@linkcode Source} of signals over a signalfd. */
export class QueuedSource implements Source<ReceivedSignal> {
  readonly ended = false;
  readonly #fd: OwnedFd;

  constructor(names: readonly SignalName[]) {
    const set = new BigUint64Array(SIGSET_SIZE / 8);
    for (const name of names) set[0]! |= 1n << BigInt(signalNumber(name) - 1);
    const flags = abi.O_CLOEXEC | abi.O_NONBLOCK;
    this.#fd = new OwnedFd(check(libc.signalfd(-1, set, flags), "signalfd", "hear signals"));
  }

  take(): ReceivedSignal | undefined {
    const { fd } = this.#fd;
    while (libc.read(fd, record, LENGTH) === -1) {
      const code = errno();
      if (code === ERRNO.EAGAIN) return undefined;
      if (code !== ERRNO.EINTR) throw failure(code, "read", "receive a signal");
    }
    const signal = signalName(record.getUint32(signalfdLayout.signo, true));
    const code = record.getInt32(signalfdLayout.code, true);
    const heard = { signal, at: new Date() };
    // Timers and children say other things at this place.
    if (![SI_USER, SI_QUEUE, SI_TKILL].includes(code)) return heard;
    const pid = record.getUint32(signalfdLayout.pid, true);
    const sender = { pid, uid: record.getUint32(signalfdLayout.uid, true) };
    return code === SI_QUEUE
      ? { ...heard, sender, value: record.getInt32(signalfdLayout.int, true) }
      : { ...heard, sender };
  }

  park(wake: () => void): () => void {
    return waitFor(this.#fd.fd, "readable", wake);
  }

  block(timeout: number | undefined): void {
    pollfd.setInt32(0, this.#fd.fd, true);
    pollfd.setInt16(4, abi.POLLIN, true);
    const limit = timeout === undefined ? -1 : Math.min(Math.ceil(timeout), 0x7fff_ffff);
    if (libc.poll(pollfd, 1n, limit) !== -1) return;
    const code = errno();
    if (code !== ERRNO.EINTR) throw failure(code, "poll", "wait for a signal");
  }

  close(): void {
    this.#fd.close();
  }
}
