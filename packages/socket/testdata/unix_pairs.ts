/** Pairs for the contract's checks; in a module of their own, for some run in a process of their own. */

import type { Sender } from "@ipc/core";
import type { ChannelPair } from "@ipc/core/testing";
import {
  bindUnixDatagram,
  connect,
  listen,
  socketPair,
  type UnixSeqpacket,
  type UnixStream,
} from "../mod.ts";

const options = { maxQueuedBytes: 1024 * 1024 };

/** A stream, by way of a listener. */
export async function openStream(): Promise<ChannelPair> {
  const [sender, receiver] = await meet("unix") as [UnixStream, UnixStream];
  return { sender, receiver, truncate: () => dieInside(sender), truncateBack: () => dieInside(receiver) };
}

/** Two sockets made at once. */
export function openStreamPair(): ChannelPair {
  const [sender, receiver] = socketPair("stream", options);
  return { sender, receiver, truncate: () => dieInside(sender), truncateBack: () => dieInside(receiver) };
}

/** The same, open for handles. */
export function openHandlePair(): ChannelPair {
  const [sender, receiver] = socketPair("stream", { ...options, receiveHandles: true });
  return { sender, receiver, truncate: () => dieInside(sender), truncateBack: () => dieInside(receiver) };
}

/** A connection of whole messages, by way of a listener. */
export async function openSeqpacket(): Promise<ChannelPair> {
  const [sender, receiver] = await meet("unix-seqpacket");
  return { sender, receiver };
}

/** Two sockets of whole messages made at once. */
export function openSeqpacketPair(): ChannelPair {
  const [sender, receiver] = socketPair("seqpacket", options);
  return { sender, receiver };
}

/** Two datagram sockets that are connected to each other. */
export function openDatagramPair(): ChannelPair {
  const [sender, receiver] = socketPair("datagram", options);
  return { sender, receiver };
}

/** A datagram socket that is connected to one that is bound. */
export async function openDatagram(): Promise<ChannelPair> {
  const folder = await Deno.makeTempDir();
  try {
    const receiver = await bindUnixDatagram(`${folder}/socket`, options);
    try {
      return { receiver, sender: await connect({ type: "unix-dgram", path: `${folder}/socket` }, options) };
    } catch (error) {
      receiver.close();
      throw error;
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function meet(
  type: "unix" | "unix-seqpacket",
): Promise<[UnixStream | UnixSeqpacket, UnixStream | UnixSeqpacket]> {
  const folder = await Deno.makeTempDir();
  try {
    const address = { type, path: `${folder}/socket` } as { type: "unix"; path: string };
    using listener = await listen(address, options);
    const connected = await connect(address, options);
    try {
      return [connected, (await listener.accept())!];
    } catch (error) {
      connected.close();
      throw error;
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Sends more than there is room for, and closes with the rest unsent. */
async function dieInside(sender: Sender): Promise<void> {
  await sender.send(new Uint8Array(1_000_000), { timeout: 0 }).catch(() => {});
  sender.close();
}
