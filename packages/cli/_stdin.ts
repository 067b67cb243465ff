/** Reading standard input. */

import { MessageTooLongError } from "@ipc/core";
import { joined } from "./_bytes.ts";
import type { Io } from "./io.ts";

/** The chunks of standard input; a signal ends the wait for the next one. */
export async function* readChunks({ stdin, signal }: Io): AsyncGenerator<Uint8Array> {
  const reader = stdin.getReader();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  aborted.catch(() => {});
  const abort = () => reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort);
  try {
    while (true) {
      const { done, value } = await Promise.race([aborted, reader.read()]);
      if (done) return;
      yield value;
    }
  } finally {
    signal.removeEventListener("abort", abort);
    // Whoever writes to us learns that nobody reads; a read that pends would keep the process.
    reader.cancel().catch(() => {});
  }
}

/** All of standard input, if it is not too long for a message. */
export async function readAll(io: Io, maxMessageSize: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of readChunks(io)) {
    chunks.push(chunk);
    length += chunk.byteLength;
    if (length > maxMessageSize) {
      throw new MessageTooLongError(
        `Cannot send standard input: it has more than ${maxMessageSize} bytes, the limit of a message`,
        { hint: "send it a line a message with --lines, or as plain bytes with ?framing=raw" },
      );
    }
  }
  return joined(chunks);
}
