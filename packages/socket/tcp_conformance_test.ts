import { channelConformance, leakCheck } from "@ipc/core/testing";
import { openTcp } from "./testdata/net_pairs.ts";

leakCheck();

const module = new URL("./testdata/net_pairs.ts", import.meta.url);
const maxQueuedBytes = 1024 * 1024;
// Sizes that are told stay: what the kernel chooses by itself grows while it is being filled.
const sizes = { sendBufferSize: 128 * 1024, receiveBufferSize: 128 * 1024 };

channelConformance("tcp", () => openTcp({ maxQueuedBytes, ...sizes }), {
  duplex: true,
  maxQueuedBytes,
  childScript: { module, export: "openTcp" },
});
