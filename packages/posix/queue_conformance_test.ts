import { channelConformance, leakCheck } from "@ipc/core/testing";
import { openQueue } from "./testdata/queues.ts";

leakCheck();

channelConformance("POSIX message queue", openQueue, {
  // Eight messages of 1024 bytes, and as much again.
  capacity: 16 * 1024,
  endDetectable: false,
  truncatable: false,
  childScript: { module: new URL("./testdata/queues.ts", import.meta.url), export: "openQueue" },
});
