/** The Channel contract over bounded buffers in shared memory: what is built on locks keeps its promises. */

import { channelConformance, leakCheck } from "@ipc/core/testing";
import { openCounted, openLocked } from "./testdata/buffer_pair.ts";

leakCheck();

const options = { capacity: 64 * 1024, maxQueuedBytes: 1024 * 1024, truncatable: false };
const module = new URL("./testdata/buffer_pair.ts", import.meta.url);

channelConformance("buffer over a lock and conditions", openLocked, {
  ...options,
  childScript: { module, export: "openLocked" },
});
channelConformance("buffer over semaphores", openCounted, options);
