/** Two objects that go one way each, as one channel. */

import { type Address, connect } from "@ipc/address";
import { type Channel, duplex, type WaitOptions } from "@ipc/core";
import { advice, readAddress } from "./_address.ts";
import { about, UsageError } from "./_failure.ts";

/** The mechanisms that go one way, and where what was read is gone. */
const ONE_WAY = ["fifo", "mq"];

/** What is written goes to the first, what is read comes from the second. */
export type Pair = readonly [out: Address, back: Address];

/** Reads `fifo:/a,fifo:/b`; `undefined`: it is another address. A comma in a name is `%2C` where a scheme follows it. */
export function readPair(text: string): Pair | undefined {
  const [out, back, ...more] = text.split(/,(?=(?:fifo|mq):)/);
  const scheme = out!.slice(0, out!.indexOf(":"));
  if (!ONE_WAY.includes(scheme)) return undefined;
  if (back === undefined) {
    const other = `${scheme}:${scheme === "fifo" ? "/path" : "/name"}`;
    throw new UsageError(
      `"${scheme}:" goes one way; give two, to write to and to read from: ${text},${other}`,
    );
  }
  if (more.length > 0) throw new UsageError(`${text} is more than two addresses`);
  return [readAddress(out!), readAddress(back)];
}

/** Opens a pair that exists. One who writes to a FIFO waits for one who reads, so that both ends begin by reading. */
export async function openPair([out, back]: Pair, options: WaitOptions): Promise<Channel> {
  const receiver = await about(
    back.text,
    () => connect(back, { ...options, direction: "receive" }),
    advice(back),
  );
  try {
    const sender = await about(
      out.text,
      () => connect(out, { ...options, direction: "send" }),
      advice(out),
    );
    return duplex(receiver, sender);
  } catch (error) {
    receiver.close();
    throw error;
  }
}
