import { channelConformance, leakCheck } from "@ipc/core/testing";
import { warmUpWaiting } from "./_waiting/mod.ts";
import { openDuplex, openQueue } from "./testdata/queue_pair.ts";

await warmUpWaiting();
leakCheck();

const options = {
  // MSGMNB of most systems, and as much again.
  capacity: 32 * 1024,
  maxTestedSize: 8192,
  endDetectable: false,
  truncatable: false,
};
const module = new URL("./testdata/queue_pair.ts", import.meta.url);

channelConformance("System V message queue", openQueue, {
  ...options,
  childScript: { module, export: "openQueue" },
});

channelConformance("both directions of one System V message queue", openDuplex, {
  ...options,
  duplex: true,
  childScript: { module, export: "openDuplex" },
});
