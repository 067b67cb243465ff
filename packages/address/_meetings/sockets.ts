/** A channel through a socket: a name that is in no folder, or a port of this machine, until both ends have met. */

import type { Channel } from "@ipc/core";
import {
  connectTcp,
  connectUnix,
  connectWebSocket,
  type Listener,
  listenTcp,
  listenUnix,
  listenWebSocket,
  type UnixScheme,
} from "@ipc/socket";
import { closeAlso } from "../_close_also.ts";
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

/** Through a WebSocket. */
export const webSocket: Ends = {
  async near(far) {
    const listener = await listenWebSocket("ws://127.0.0.1:0");
    // Its connections go with the listener.
    return closeAlso(await comer(listener, far, listener.address), () => listener.close());
  },
  far: ([address]) => connectWebSocket(address!),
};

/** The far end that connects is the only one. */
async function meet(listener: Listener<Channel>, far: FarEnd, ...args: string[]): Promise<Channel> {
  try {
    return await comer(listener, far, ...args);
  } finally {
    listener.close();
  }
}

/** Starts the far end, and waits until it has connected; the listener is closed should it not come. */
async function comer(
  listener: Listener<Channel>,
  { start, signal }: FarEnd,
  ...args: string[]
): Promise<Channel> {
  try {
    return (await arrival((options) => listener.accept(options), start(...args), signal))!;
  } catch (error) {
    listener.close();
    throw error;
  }
}
