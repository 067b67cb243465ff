/** Numbers that signals need: the same on every Linux, unless they come from core's table. */

import { abi } from "@ipc/core/sys";

/** pidfd_open(2). */
export const SYS_PIDFD_OPEN = BigInt(abi.SYS_pidfd_open);
/** pidfd_send_signal(2). */
export const SYS_PIDFD_SEND_SIGNAL = 424n;

/** Sent with kill(2). */
export const SI_USER = 0;
/** Sent with tgkill(2). */
export const SI_TKILL = -6;
/** Sent with sigqueue(3). */
export const SI_QUEUE = -1;
/** Bytes of a `siginfo_t`, and where its members begin. */
export const siginfoLayout = { size: 128, signo: 0, code: 8, pid: 16, uid: 20, value: 24 } as const;
/** Bytes of a `struct signalfd_siginfo`, and where its members begin. */
export const signalfdLayout = { size: 128, signo: 0, code: 8, pid: 12, uid: 16, int: 44 } as const;

/** Bytes of a `sigset_t`. */
export const SIGSET_SIZE = 128;
