/** A queue for the torture; what other processes do to it is tortured apart, for it does not end with them. */

import type { TortureMechanism } from "@ipc/core/testing";
import { warmUpWaiting } from "../_waiting/mod.ts";
import { openQueue } from "./queue_pair.ts";

// What waiting starts once, and then keeps, is nothing that a channel leaves.
await warmUpWaiting();

/** Two handles in one process. */
export const queue: TortureMechanism = {
  name: "sysv-msg",
  module: import.meta.url,
  export: "queue",
  roles: [],
  longest: 8192,
  open: openQueue,
  start: () => {
    throw new Error("Nothing is started with an end of a queue");
  },
  join: () => {
    throw new Error("Nothing is started with an end of a queue");
  },
};
