/** A channel through a socket: a name that is in no folder, or a port of this machine, until both ends have met. */

import type { Channel } from "@ipc/core";
import {
  connectTcp,
  connectTls,
  connectUnix,
  connectWebSocket,
  type Listener,
  listenTcp,
  listenTls,
  listenUnix,
  listenWebSocket,
  type UnixScheme,
} from "@ipc/socket";
import { closeAlso } from "../_close_also.ts";
import type { FarEnd, Meeting } from "../meeting.ts";
import { arrival } from "./arrival.ts";
import { makeCertificate } from "./certificate.ts";

type Ends = Pick<Meeting, "near" | "far">;

type Connected = UnixScheme & ("unix" | "unix-seqpacket");

/** Through a unix socket of a type. */
export function unix(type: Connected): Ends {
  return {
    near: (far) => acceptUnix(type, far),
    far: ([path]) => connectUnix({ type, path: path! }),
  };
}

/** Starts the far end, which connects to a unix socket. An abstract name leaves nothing behind, whoever is killed. */
export async function acceptUnix(type: Connected, far: FarEnd): Promise<Channel> {
  const path = `@ipc-${crypto.randomUUID()}`;
  return await meet(await listenUnix({ type, path }, { sameUser: true }), far, path);
}

/** Through TCP. */
export const tcp: Ends = {
  async near(far) {
    const listener = await listenTcp("127.0.0.1:0");
    return await meet(listener, far, listener.address);
  },
  far: ([address]) => connectTcp(address!),
};

/** Through TLS, with a certificate that is made for it. */
export const tls: Ends = {
  async near(far) {
    const { cert, key } = makeCertificate();
    const listener = await listenTls("127.0.0.1:0", { cert, key });
    return await meet(listener, far, listener.address, cert);
  },
  far: ([address, cert]) => connectTls(address!, { caCerts: [cert!] }),
};

/** The runtime lets nobody who sends wait for who receives: what comes meanwhile is kept, of a sender who is ours. */
const KEPT = { maxBufferedBytes: 1024 * 1024 * 1024 } as const;

/** Through a WebSocket. */
export const webSocket: Ends = {
  async near(far) {
    const listener = await listenWebSocket("ws://127.0.0.1:0", KEPT);
    // Its connections go with the listener.
    return closeAlso(await comer(listener, far, listener.address), () => listener.close());
  },
  far: ([address]) => connectWebSocket(address!, KEPT),
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
