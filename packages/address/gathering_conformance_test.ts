import { channelConformance, leakCheck } from "@ipc/core/testing";
import { openGathering } from "./testdata/gathering_pair.ts";

leakCheck();

const options = { endDetectable: false, maxTestedSize: 64 * 1024 } as const;
const module = new URL("./testdata/gathering_pair.ts", import.meta.url);

channelConformance("all who connect to a unix socket", () => openGathering("unix"), {
  ...options,
  childScript: { module, export: "openGathering" },
});

channelConformance("all who connect to a seqpacket socket", () => openGathering("unix-seqpacket"), {
  ...options,
  truncatable: false,
});
