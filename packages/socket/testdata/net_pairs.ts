/** Fresh connections over the loopback interface, for the tests. */

import { diagnostics } from "@ipc/core/sys";
import type { ChannelPair } from "@ipc/core/testing";
import { inet } from "../_net_libc.ts";
import { listenTcp } from "../tcp_listener.ts";
import { connectTcp, type TcpOptions, type TcpStream } from "../tcp.ts";
import { bindUdp, connectUdp } from "../udp.ts";
import { listenWebSocket } from "../web_socket_listener.ts";
import { connectWebSocket, type WebSocketOptions } from "../web_socket.ts";

/** Both ends of a TCP connection. */
export async function openTcp(options: TcpOptions = {}): Promise<ChannelPair> {
  const listener = await listenTcp("127.0.0.1:0", options);
  try {
    const sender = await connectTcp(listener.address, options);
    try {
      const receiver = (await listener.accept())!;
      return { sender, receiver, truncate: () => truncate(sender), truncateBack: () => truncate(receiver) };
    } catch (error) {
      sender.close();
      throw error;
    }
  } finally {
    listener.close();
  }
}

/** Two bytes of a length prefix, and no more. */
function truncate(channel: TcpStream): void {
  inet.sendto(channel.fd, new Uint8Array([9, 0]), 2n, 0, null, 0);
  channel.close();
}

/** Two UDP sockets, of which one sends to the other. */
export async function openUdp(): Promise<ChannelPair> {
  const receiver = await bindUdp("127.0.0.1:0", { receiveBufferSize: 4 * 1024 * 1024 });
  try {
    const { port } = receiver.address;
    return { sender: await connectUdp(`127.0.0.1:${port}`), receiver };
  } catch (error) {
    receiver.close();
    throw error;
  }
}

/** Both ends of a WebSocket. */
export async function openWebSocket(options: WebSocketOptions = {}): Promise<ChannelPair> {
  const listener = await listenWebSocket("ws://127.0.0.1:0/", options);
  const sender = await connectWebSocket(listener.address, options);
  const receiver = (await listener.accept())!;
  return { sender, receiver, cleanup: () => listener[Symbol.asyncDispose]() };
}

/** Waits until the thread that waits for all descriptors has come back. */
export async function settled(): Promise<void> {
  for (let looks = 0; looks < 1000 && diagnostics().poolThreads > 0; looks++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
