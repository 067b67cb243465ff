/** The rows of the demo. A new mechanism adds one, and nothing else. */

import type { DemoMechanism } from "./mechanism.ts";

/** How long one end waits for the other to open, in milliseconds. */
const OPENING = 10_000;

/** Every mechanism, in the order of the table. */
export const mechanisms: readonly DemoMechanism[] = [
  {
    name: "pipe",
    async near({ command, args, signal }) {
      const { spawnWithChannel } = await import("@ipc/pipe");
      return spawnWithChannel(command, { args: args(), stdin: "null", signal }).channel;
    },
    async far() {
      const { parentChannel } = await import("@ipc/pipe");
      return parentChannel();
    },
  },
  {
    name: "fifo",
    async near({ folder, start, signal }) {
      const { Fifo, mkfifo } = await import("@ipc/fifo");
      const [there, back] = [`${folder}/there`, `${folder}/back`];
      for (const path of [there, back]) await mkfifo(path);
      start(there, back);
      return await Fifo.openPair(back, there, { timeout: OPENING, signal });
    },
    async far(args) {
      const { Fifo } = await import("@ipc/fifo");
      const [there, back] = args as [string, string];
      return await Fifo.openPair(there, back, { timeout: OPENING });
    },
  },
];
