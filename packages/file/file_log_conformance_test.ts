import { channelConformance, leakCheck } from "@ipc/core/testing";
import { openConsumer, openDurable, openLog } from "./testdata/pair.ts";

leakCheck();

/** A log never fills, has no end, and gives no record that is not whole. */
const options = { truncatable: false, endDetectable: false, backPressure: false };
const childScript = { module: new URL("./testdata/pair.ts", import.meta.url), export: "openInChild" };

channelConformance("file log", () => openLog(), { ...options, childScript });
channelConformance("file log that is flushed each time", openDurable, { ...options, scale: 0.02 });
channelConformance("consumer of a file log", openConsumer, options);
