/** Another user, for tests that root runs. */

import { bind } from "../sys/mod.ts";

const libc = bind({
  setresuid: {
    name: "syscall",
    parameters: ["i64", /* uid_t ruid */ "i32", /* uid_t euid */ "i32", /* uid_t suid */ "i32"],
    result: "i32",
  },
});
const SYS_setresuid = Deno.build.arch === "aarch64" ? 147n : 117n;

/** Whether {@linkcode asUser} works here. */
export const canBeAnother: boolean = Deno.build.os === "linux" && Deno.uid() === 0;

/** Nobody. */
export const NOBODY = 65_534;

/** Runs what does not wait as another user, of the same groups: the kernel keeps a user for each thread. */
export function asUser<T>(uid: number, action: () => T): T {
  become(uid);
  try {
    return action();
  } finally {
    become(0);
  }
}

function become(uid: number): void {
  if (libc.setresuid(SYS_setresuid, -1, uid, -1) !== 0) throw new Error(`Cannot become user ${uid}`);
}
