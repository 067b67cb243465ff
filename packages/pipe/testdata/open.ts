/** A pair for the conformance suite, here and in processes of its own. */

import type { ChannelPair } from "@ipc/core/testing";
import { createPipe, type PipeOptions } from "../mod.ts";

/** Ends of a fresh pipe. */
export function open(options: PipeOptions = {}): ChannelPair {
  const { reader, writer } = createPipe(options);
  if (options.packet) return { sender: writer, receiver: reader };
  return {
    sender: writer,
    receiver: reader,
    /** Ends it in the middle of a frame, as a killed writer does. */
    truncate: async () => {
      await writer.write(new Uint8Array([100, 0, 0, 0, 1, 2, 3]));
      writer.close();
    },
  };
}
