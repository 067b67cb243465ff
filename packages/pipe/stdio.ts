/** This process's standard input and output as a channel. */

import { type Bytes, duplex, type Framing, lines, type SyncChannel } from "@ipc/core";
import { Descriptor } from "@ipc/core/sys";
import { PipeReader, PipeWriter } from "./pipe.ts";

/** How standard input and output carry messages. */
export interface StdioOptions {
  /** How messages are marked; one a line unless told. */
  framing?: Framing | undefined;
}

/**
 * Standard input and output as one duplex channel, whatever stands behind them.
 *
 * Others may share them, so their mode is never changed: each read and write first asks whether it would
 * block (`poll`). Closing the channel closes descriptors 0 and 1.
 *
 * @example
 * ```ts ignore
 * import { stdioChannel } from "@ipc/pipe";
 *
 * await using channel = stdioChannel();
 * for await (const line of channel) await channel.send(line);
 * ```
 */
export function stdioChannel(options: StdioOptions = {}): SyncChannel<Uint8Array, Bytes> {
  const { framing = lines() } = options;
  return duplex(
    new PipeReader(new Descriptor(0, { shared: true, target: "standard input" }), framing),
    new PipeWriter(new Descriptor(1, { shared: true, target: "standard output" }), { framing }),
  );
}
