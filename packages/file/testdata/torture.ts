/** A log for the torture; what other processes do to it is tortured apart, for it does not end with them. */

import type { TortureMechanism } from "@ipc/core/testing";
import { openEnding } from "./pair.ts";

/** A writer and a reader in one process. */
export const log: TortureMechanism = {
  name: "file log",
  module: import.meta.url,
  export: "log",
  roles: [],
  open: openEnding,
  start: () => {
    throw new Error("Nothing is started with an end of a log");
  },
  join: () => {
    throw new Error("Nothing is started with an end of a log");
  },
};
