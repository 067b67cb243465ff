import { channelConformance, leakCheck } from "@ipc/core/testing";
import { openWebSocket } from "./testdata/net_pairs.ts";

leakCheck();

const maxQueuedBytes = 1024 * 1024;

channelConformance("ws", () => openWebSocket({ maxQueuedBytes }), {
  duplex: true,
  maxQueuedBytes,
  truncatable: false,
  // Nothing holds a peer back, see below.
  backPressure: false,
});
