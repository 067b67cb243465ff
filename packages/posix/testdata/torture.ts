/** A queue for the torture; what other processes do to it is tortured apart, for it does not end with them. */

import type { TortureMechanism } from "@ipc/core/testing";
import { openQueue } from "./queues.ts";

/** Two handles in one process. */
export const queue: TortureMechanism = {
  name: "mq",
  module: import.meta.url,
  export: "queue",
  roles: [],
  longest: 1024,
  open: openQueue,
  start: () => {
    throw new Error("Nothing is started with an end of a queue");
  },
  join: () => {
    throw new Error("Nothing is started with an end of a queue");
  },
};
