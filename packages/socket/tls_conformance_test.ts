import { channelConformance, leakCheck } from "@ipc/core/testing";
import { has } from "../core/testdata/child.ts";
import { openTls } from "./testdata/tls_pairs.ts";

leakCheck();

const maxQueuedBytes = 1024 * 1024;

channelConformance("tls", () => openTls({ maxQueuedBytes }), {
  duplex: true,
  maxQueuedBytes,
  childScript: { module: new URL("./testdata/tls_pairs.ts", import.meta.url), export: "openTls" },
  ignore: !has("openssl"),
});
