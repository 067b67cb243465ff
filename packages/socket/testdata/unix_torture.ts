/** Unix sockets for the torture: a listener here, and a process that connects. */

import type { TortureLink, TortureMechanism, TortureProgram } from "@ipc/core/testing";
import { connect, listen } from "../mod.ts";
import { openSeqpacketPair, openStreamPair } from "./unix_pairs.ts";

/** A process that collects garbage all the time takes long to start. */
const CEILING = { timeout: 60_000 };

function starter(type: "unix"): TortureMechanism["start"] {
  return async (programs: readonly TortureProgram[]): Promise<TortureLink> => {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/socket`;
    using listener = await listen({ type, path });
    const [{ command, args }] = programs as [TortureProgram];
    const process = new Deno.Command(command, { args: [...args, path], stdin: "null" }).spawn();
    const channel = (await listener.accept(CEILING))!;
    return {
      sender: channel,
      receiver: channel,
      processes: [process],
      cleanup: () => Deno.remove(folder, { recursive: true }),
    };
  };
}

function joiner(type: "unix"): TortureMechanism["join"] {
  return async (_, [path]) => {
    const channel = await connect({ type, path: path! });
    return { sender: channel, receiver: channel };
  };
}

/** Messages framed in a stream of bytes. */
export const stream: TortureMechanism = {
  name: "unix",
  module: import.meta.url,
  export: "stream",
  roles: ["send", "receive", "both"],
  open: openStreamPair,
  start: starter("unix"),
  join: joiner("unix"),
};

/** Messages that the kernel keeps apart. */
export const seqpacket: TortureMechanism = {
  ...stream,
  name: "unix-seqpacket",
  export: "seqpacket",
  longest: 200_000,
  open: openSeqpacketPair,
  start: starter("unix-seqpacket" as "unix"),
  join: joiner("unix-seqpacket" as "unix"),
};
