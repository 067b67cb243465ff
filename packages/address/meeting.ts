/**
 * How a process and one that it starts come to a channel through each mechanism.
 *
 * The demo and the benchmarks of the `ipc` command go through this list, so that a mechanism that is in it is
 * in both.
 *
 * @module
 */

import type { Channel } from "@ipc/core";
import { Fifo, mkfifo } from "@ipc/fifo";
import { parentChannel, spawnWithChannel } from "@ipc/pipe";
import * as acknowledged from "./_meetings/acknowledged.ts";
import * as datagrams from "./_meetings/datagrams.ts";
import * as logs from "./_meetings/logs.ts";
import { mappedFile, sharedMemory } from "./_meetings/mapped.ts";
import * as memory from "./_meetings/memory.ts";
import * as namedQueues from "./_meetings/named_queues.ts";
import * as queues from "./_meetings/queues.ts";
import * as semaphores from "./_meetings/semaphores.ts";
import * as sockets from "./_meetings/sockets.ts";

/** One mechanism. */
export interface Meeting {
  /** Its name. */
  readonly name: string;
  /**
   * False where no end is told: when the near one closes, the far one gets a `RemovedError`.
   *
   * Everywhere, an end whose peer was killed may get a `BrokenPipeError` instead of the end.
   */
  readonly endDetectable?: boolean;
  /** False where its channel cannot block the thread; all others are a `SyncChannel`. */
  readonly blocking?: false;
  /**
   * Starts the far end as a process of its own, and opens the near end of the channel to it.
   *
   * What it makes for that in the system is removed when the channel is closed, and by the far end if this process is
   * killed.
   */
  near(far: FarEnd): Promise<Channel>;
  /** Opens the far end, with the arguments that the near end has started it with. */
  far(args: readonly string[]): Channel | Promise<Channel>;
}

/** The program at the far end, as the near end starts it. */
export interface FarEnd {
  /** The program. */
  readonly command: string;
  /** Its arguments, with those that its mechanism adds. */
  args(...more: string[]): string[];
  /** Starts it by name, for mechanisms that do not start programs themselves; resolves when it has ended. */
  start(...more: string[]): Promise<unknown>;
  /** A folder that only this user can look into, removed at the end. */
  readonly folder: string;
  /** Ends the program when it aborts. */
  readonly signal: AbortSignal;
}

/** How long one end waits for the other to open, in milliseconds. */
const OPENING = 10_000;

/**
 * Every mechanism, in the order of a table.
 *
 * @example
 * ```ts
 * import { meetings } from "@ipc/address/meeting";
 * import { assert } from "@std/assert";
 *
 * assert(meetings.some(({ name }) => name === "pipe"));
 * ```
 */
export const meetings: readonly Meeting[] = [
  {
    name: "pipe",
    near: ({ command, args, signal }) =>
      Promise.resolve(spawnWithChannel(command, { args: args(), stdin: "null", signal }).channel),
    far: () => parentChannel(),
  },
  {
    name: "fifo",
    async near({ folder, start, signal }) {
      const [there, back] = [`${folder}/there`, `${folder}/back`];
      for (const path of [there, back]) mkfifo(path);
      start(there, back);
      return await Fifo.openPair(back, there, { timeout: OPENING, signal });
    },
    far: ([there, back]) => Fifo.openPair(there!, back!, { timeout: OPENING }),
  },
  { name: "unix", ...sockets.unix("unix") },
  { name: "unix-seqpacket", ...sockets.unix("unix-seqpacket") },
  { name: "unix-dgram", ...datagrams },
  { name: "tcp", ...sockets.tcp },
  { name: "tls", blocking: false, ...sockets.tls },
  { name: "udp", ...acknowledged },
  { name: "ws", blocking: false, ...sockets.webSocket },
  { name: "file", endDetectable: false, ...logs },
  { name: "sysv-msg", endDetectable: false, ...queues },
  { name: "sysv-shm", ...memory },
  { name: "sysv-sem", ...semaphores },
  { name: "mq", ...namedQueues },
  { name: "posix-shm", ...sharedMemory },
  { name: "mmap", ...mappedFile },
];
