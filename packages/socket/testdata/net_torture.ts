/** TCP for the torture: a listener here, and a process that connects. */

import type { TortureMechanism } from "@ipc/core/testing";
import { listenTcp } from "../tcp_listener.ts";
import { connectTcp } from "../tcp.ts";
import { openTcp } from "./net_pairs.ts";

/** Messages framed in a TCP connection over the loopback interface. */
export const tcp: TortureMechanism = {
  name: "tcp",
  module: import.meta.url,
  export: "tcp",
  roles: ["send", "receive", "both"],
  open: () => openTcp({ sendBufferSize: 128 * 1024, receiveBufferSize: 128 * 1024 }),
  start: async (programs) => {
    using listener = await listenTcp("127.0.0.1:0");
    const { command, args } = programs[0]!;
    const process = new Deno.Command(command, { args: [...args, listener.address], stdin: "null" }).spawn();
    const channel = (await listener.accept({ timeout: 20_000 }))!;
    return { sender: channel, receiver: channel, processes: [process] };
  },
  join: async (_, [address]) => {
    const channel = await connectTcp(address!);
    return { sender: channel, receiver: channel };
  },
};
