/** Constants and layouts that only waiting needs; the same on every supported platform but for the numbers of calls. */

/** timer_create(2) and timer_settime(2) by their numbers, since older libraries have them elsewhere. */
export const SYS_timer_create: bigint = Deno.build.arch === "aarch64" ? 107n : 222n;
export const SYS_timer_settime: bigint = Deno.build.arch === "aarch64" ? 110n : 223n;

/** sigaction(2). */
export const SA_RESTART = 0x1000_0000;
/** What a signal does when nobody has said otherwise. */
export const SIG_DFL = 0n;
/** sigprocmask(2). */
export const SIG_UNBLOCK = 1;
/** `struct sigevent`: the signal goes to one thread. */
export const SIGEV_THREAD_ID = 4;

/** `struct sigaction` of libc, in bytes. */
export const sigaction = { size: 152, handler: 0, flags: 136 } as const;
/** `sigset_t`, in bytes. */
export const SIGSET_SIZE = 128;
/** `struct sigevent`, in bytes. */
export const sigevent = { size: 64, signo: 8, notify: 12, tid: 16 } as const;
/** `struct itimerspec`, in units of eight bytes. */
export const itimerspec = { size: 4, intervalNanoseconds: 1, seconds: 2, nanoseconds: 3 } as const;
