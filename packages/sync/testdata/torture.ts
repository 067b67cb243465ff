/** Bounded buffers for the torture: over a lock and conditions, and over semaphores. */

import type { ChannelPair, TortureLink, TortureMechanism, TortureProgram } from "@ipc/core/testing";
import { createMemfd, MappedFile } from "../../mmap/mod.ts";
import { Event } from "../mod.ts";
import { type BufferType, CHANNEL_BYTES, openReceiver, openSender } from "./buffer_channel.ts";
import { CountedBuffer, LockedBuffer, LONGEST_MESSAGE } from "./buffers.ts";

/** Where the way there, the way back, and the event that somebody has come begin. */
const [THERE, BACK, COME] = [0, CHANNEL_BYTES, 2 * CHANNEL_BYTES];
/** A process that collects garbage all the time takes long to start. */
const CEILING = { timeout: 60_000 };

/** Both ends of a buffer in memory without a name. */
function opener(Type: BufferType): () => ChannelPair {
  return () => {
    using memfd = createMemfd("buffer", CHANNEL_BYTES);
    const memory = memfd.map();
    const sender = openSender(Type, memory, 0, "initialize");
    return { sender, receiver: openReceiver(Type, memory, 0, "at"), cleanup: () => memory.close() };
  };
}

function starter(Type: BufferType): TortureMechanism["start"] {
  return async ([program]: readonly TortureProgram[]): Promise<TortureLink> => {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/buffers`;
    const memory = MappedFile.open(path, { create: true, size: COME + Event.byteLength });
    const sender = openSender(Type, memory, THERE, "initialize");
    const receiver = openReceiver(Type, memory, BACK, "initialize");
    using come = Event.initialize(memory, COME);
    const { command, args } = program!;
    const process = new Deno.Command(command, { args: [...args, path], stdin: "null" }).spawn();
    // Until it has come it passes for one that has gone.
    await come.wait(CEILING);
    return {
      sender,
      receiver,
      processes: [process],
      cleanup: async () => {
        memory.close();
        await Deno.remove(folder, { recursive: true });
      },
    };
  };
}

function joiner(Type: BufferType): TortureMechanism["join"] {
  return (_, [path]) => {
    const memory = MappedFile.open(path!);
    const sender = openSender(Type, memory, BACK, "at");
    const receiver = openReceiver(Type, memory, THERE, "at");
    using come = Event.at(memory, COME);
    come.set();
    return { sender, receiver };
  };
}

/** A lock and two conditions. */
export const locked: TortureMechanism = {
  name: "sync",
  module: import.meta.url,
  export: "locked",
  roles: ["send", "receive", "both"],
  longest: LONGEST_MESSAGE,
  open: opener(LockedBuffer),
  start: starter(LockedBuffer),
  join: joiner(LockedBuffer),
};

/** Two semaphores. */
export const counted: TortureMechanism = {
  ...locked,
  name: "sync-semaphores",
  export: "counted",
  open: opener(CountedBuffer),
  start: starter(CountedBuffer),
  join: joiner(CountedBuffer),
};
