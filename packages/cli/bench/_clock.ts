/** A clock that all processes have in common. */

import { bind } from "@ipc/core/sys";

const libc = bind(
  {
    clock_gettime: {
      parameters: [/* clockid_t clockid */ "i32", /* struct timespec *tp */ "buffer"],
      result: /* int */ "i32",
    },
  } as const satisfies Deno.ForeignLibraryInterface,
);

const CLOCK_MONOTONIC = 1;
const time = new BigInt64Array(2);

/** Microseconds since the machine was started. */
export function sharedNow(): number {
  libc.clock_gettime(CLOCK_MONOTONIC, time);
  return Number(time[0]) * 1e6 + Number(time[1]) / 1e3;
}
