import { faultSuite, leakCheck } from "@ipc/core/testing";
import { adoptListener, listen, socketPair } from "./mod.ts";
import { closeAll } from "./_control_message.ts";
import { openHandlePair } from "./testdata/unix_pairs.ts";

leakCheck();

/** Sends open files, and receives what arrives of them. */
async function passOver(type: "stream" | "seqpacket" | "datagram"): Promise<void> {
  const [here, there] = type === "stream"
    ? socketPair(type, { receiveHandles: true })
    : type === "seqpacket"
    ? socketPair(type)
    : socketPair(type);
  using _here = here;
  using _there = there;
  await here.sendHandles(new Uint8Array([1]), [0, 0]);
  const message = await there.receiveWithHandles({ timeout: 1000 });
  closeAll(message?.handles ?? []);
}

faultSuite("unix, open for handles", openHandlePair, {
  more: {
    "handles passed over a stream": () => passOver("stream"),
    "handles passed over seqpacket": () => passOver("seqpacket"),
    "handles passed in a datagram": () => passOver("datagram"),
    "a listener adopted": async () => {
      const [here, there] = socketPair("seqpacket");
      using _here = here;
      using _there = there;
      using first = await listen("tcp:127.0.0.1:0");
      await here.sendHandles(new Uint8Array(0), [first]);
      const [handle] = (await there.receiveWithHandles({ timeout: 1000 }))?.handles ?? [];
      using owned = handle!;
      adoptListener("tcp", owned).close();
    },
  },
});
