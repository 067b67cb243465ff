import { channelConformance, leakCheck } from "@ipc/core/testing";
import { openDuplex, openFifo } from "./testdata/pair.ts";

leakCheck();

const maxQueuedBytes = 1024 * 1024;
const childScript = { module: new URL("./testdata/pair.ts", import.meta.url), export: "openFifo" };

channelConformance("fifo", openFifo, { maxQueuedBytes, childScript });

channelConformance("fifo that is kept open", () => openFifo({ keepOpen: true }), {
  maxQueuedBytes,
  endDetectable: false,
});

channelConformance("fifo with a length prefix", () => openFifo({ framing: "length" }), { maxQueuedBytes });

channelConformance("pair of fifos", openDuplex, { maxQueuedBytes });
