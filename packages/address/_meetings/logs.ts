/** A channel through two logs, one for each direction. */

import { duplex, type SyncChannel } from "@ipc/core";
import { FileLog } from "@ipc/file";
import { closeAlso } from "../_close_also.ts";
import type { FarEnd } from "../meeting.ts";

const OPTIONS = {
  fsync: "never",
  segmentBytes: 8 * 1024 * 1024,
  maxMessageSize: 1024 * 1024,
  // Nobody is told to wait, but who reads is faster than who writes: what goes was read long ago.
  retain: { bytes: 512 * 1024 * 1024 },
} as const;
/** How often the far end looks whether the near one is alive, in milliseconds; while it blocks it does not look. */
const PERIOD = 1000;

/** Starts the far end and opens the near one. The logs go with its channel. */
export function near({ start, folder }: FarEnd): Promise<SyncChannel> {
  const paths = [`${folder}/there.log`, `${folder}/back.log`] as const;
  const [there, back] = paths;
  for (const path of paths) FileLog.create(path, OPTIONS).close();
  const channel = channelOf(back, there, () => removeAll(paths));
  start(there, back, String(Deno.pid)).then(() => removeAll(paths));
  return Promise.resolve(channel);
}

/** Opens the far end. */
export function far([there, back, parent]: readonly string[]): SyncChannel {
  const timer = setInterval(() => {
    if (Deno.ppid !== Number(parent)) removeAll([there!, back!]);
  }, PERIOD);
  Deno.unrefTimer(timer);
  return channelOf(there!, back!, () => clearInterval(timer));
}

function channelOf(incoming: string, outgoing: string, close: () => void): SyncChannel {
  using from = FileLog.open(incoming);
  using to = FileLog.open(outgoing);
  return closeAlso(duplex(from.reader(), to.writer()), close);
}

/** Removes what is still there; who has it open is told. */
function removeAll(paths: readonly string[]): void {
  for (const path of paths) {
    try {
      FileLog.remove(path);
    } catch {
      // The other end was faster.
    }
  }
}
