import { channelConformance, leakCheck } from "@ipc/core/testing";
import { openUdp } from "./testdata/net_pairs.ts";

leakCheck();

const module = new URL("./testdata/net_pairs.ts", import.meta.url);

channelConformance("udp", openUdp, {
  ordered: false,
  truncatable: false,
  endDetectable: false,
  backPressure: false,
  maxTestedSize: 32 * 1024,
  childScript: { module, export: "openUdp" },
});
