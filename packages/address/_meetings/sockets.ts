/** A channel through a socket: a name that is in no folder, or a port of this machine, until both ends have met. */

import type { SyncChannel } from "@ipc/core";
import { connectTcp, connectUnix, type Listener, listenTcp, listenUnix, type UnixScheme } from "@ipc/socket";
import type { FarEnd, Meeting } from "../meeting.ts";
import { arrival } from "./arrival.ts";

type Ends = Pick<Meeting, "near" | "far">;

/** Through a unix socket of a type. An abstract name leaves nothing behind, whoever is killed. */
export function unix(type: UnixScheme & ("unix" | "unix-seqpacket")): Ends {
  return {
    async near(far) {
      const path = `@ipc-${crypto.randomUUID()}`;
      return await meet(await listenUnix({ type, path }, { sameUser: true }), far, path);
    },
    far: ([path]) => connectUnix({ type, path: path! }),
  };
}

/** Through TCP. */
export const tcp: Ends = {
  async near(far) {
    const listener = await listenTcp("127.0.0.1:0");
    return await meet(listener, far, listener.address);
  },
  far: ([address]) => connectTcp(address!),
};

/** Starts the far end, and waits until it has connected. */
async function meet(
  listener: Listener<SyncChannel>,
  { start, signal }: FarEnd,
  ...args: string[]
): Promise<SyncChannel> {
  try {
    return (await arrival((options) => listener.accept(options), start(...args), signal))!;
  } finally {
    listener.close();
  }
}
