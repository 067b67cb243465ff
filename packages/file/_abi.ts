/** Numbers that files need: the same on every Linux unless they stand with an architecture. */

/** getdents64(2). */
export const SYS_GETDENTS64: bigint = Deno.build.arch === "aarch64" ? 61n : 217n;
/** `struct linux_dirent64`; the name follows. */
export const dirent = { d_reclen: 16, d_name: 19 } as const;

/** flock(2). */
export const LOCK_SH = 1;
export const LOCK_EX = 2;
export const LOCK_NB = 4;
export const LOCK_UN = 8;

/** inotify(7). */
export const IN_MODIFY = 0x2;
export const IN_ATTRIB = 0x4;
export const IN_MOVED_FROM = 0x40;
export const IN_MOVED_TO = 0x80;
export const IN_CREATE = 0x100;
export const IN_DELETE = 0x200;
export const IN_Q_OVERFLOW = 0x4000;
export const IN_IGNORED = 0x8000;
export const IN_MASK_ADD = 0x2000_0000;
/** `struct inotify_event`; a name of `len` bytes follows. */
export const inotifyEvent = { size: 16, wd: 0, mask: 4, len: 12 } as const;

/** unlinkat(2). */
export const AT_REMOVEDIR = 0x200;
