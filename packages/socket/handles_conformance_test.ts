import { channelConformance, leakCheck } from "@ipc/core/testing";
import { openHandlePair } from "./testdata/unix_pairs.ts";

leakCheck();

// A stream that is open for handles reads and waits in ways of its own.
channelConformance("unix, open for handles", openHandlePair, {
  maxQueuedBytes: 1024 * 1024,
  duplex: true,
  childScript: { module: new URL("./testdata/unix_pairs.ts", import.meta.url), export: "openHandlePair" },
});
