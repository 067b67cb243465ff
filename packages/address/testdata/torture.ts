/** What two processes meet through, for the torture: mechanisms whose own is without another process, or is none. */

import { BrokenPipeError, RemovedError } from "@ipc/core";
import type { TortureLink, TortureMechanism, TortureProgram } from "@ipc/core/testing";
import { meetings } from "../meeting.ts";

/** A meeting by its name; `exported` is what it is called here, `longest` the longest message in bytes. */
function met(name: string, exported: string, longest?: number): TortureMechanism {
  const meeting = meetings.find((each) => each.name === name)!;

  async function start([program]: readonly TortureProgram[]): Promise<TortureLink> {
    const { command, args: given } = program!;
    const folder = await Deno.makeTempDir();
    const stop = new AbortController();
    const { promise, resolve } = Promise.withResolvers<Deno.ChildProcess>();
    const args = (...more: string[]) => [...given, ...more];
    const channel = await meeting.near({
      command,
      args,
      start: (...more) => {
        const child = new Deno.Command(command, { args: args(...more), stdin: "null", signal: stop.signal })
          .spawn();
        resolve(child);
        return child.status;
      },
      folder,
      signal: stop.signal,
    });
    const child = await promise;
    const end = channel.end.bind(channel);
    channel.end = async () => {
      await end();
      // What nobody has received goes with the near end where that removes it.
      await child.status;
    };
    return {
      sender: channel,
      receiver: channel,
      processes: [child],
      cleanup: () => Deno.remove(folder, { recursive: true }),
    };
  }

  return {
    name,
    module: import.meta.url,
    export: exported,
    roles: ["send", "receive", "both"],
    longest,
    isEnd: (error) => error instanceof RemovedError || error instanceof BrokenPipeError,
    start,
    async join(_role, args) {
      const channel = await meeting.far(args);
      return { sender: channel, receiver: channel };
    },
  };
}

export const unixDatagrams: TortureMechanism = met("unix-dgram", "unixDatagrams", 64 * 1024);
export const tls: TortureMechanism = met("tls", "tls");
export const udp: TortureMechanism = met("udp", "udp", 60_000);
export const systemVMemory: TortureMechanism = met("sysv-shm", "systemVMemory");
export const systemVSemaphores: TortureMechanism = met("sysv-sem", "systemVSemaphores", 1024);
export const posixQueues: TortureMechanism = met("mq", "posixQueues", 4096);
export const posixMemory: TortureMechanism = met("posix-shm", "posixMemory");
export const mappedFile: TortureMechanism = met("mmap", "mappedFile");
