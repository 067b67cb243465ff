/** A log for the torture; what other processes do to it is tortured apart, for it does not end with them. */

import type { TortureMechanism } from "@ipc/core/testing";
import { openEnding } from "./pair.ts";

/** A log waits for no reader: what is not read must not fill the machine's memory. */
const KEPT = 256 * 1024 * 1024;

/** A writer and a reader in one process. */
export const log: TortureMechanism = {
  name: "file log",
  module: import.meta.url,
  export: "log",
  roles: [],
  backPressure: false,
  open: () => openEnding({ fsync: "never", retain: { bytes: KEPT } }),
  start: () => {
    throw new Error("Nothing is started with an end of a log");
  },
  join: () => {
    throw new Error("Nothing is started with an end of a log");
  },
};
