/** A channel through memory that both processes map: POSIX shared memory, or a file. */

import type { SyncChannel } from "@ipc/core";
import type { Mapping } from "@ipc/core/sys";
import { MappedFile } from "@ipc/mmap";
import { SharedMemory } from "@ipc/posix";
import type { FarEnd, Meeting } from "../meeting.ts";
import { Peer } from "./peer.ts";
import { mappedArrival, mappedChannel, prepare, SIZE } from "./posts.ts";

/** What is in memory that has a name until both ends are open. */
interface Named {
  /** Makes it; its name goes with it, where it still has one. */
  create(folder: string): { readonly memory: Mapping; readonly name: string };
  /** Opens it, and takes its name away. */
  open(name: string): Mapping;
}

/** Through POSIX shared memory. */
export const sharedMemory: Pick<Meeting, "near" | "far"> = through({
  create() {
    const memory = SharedMemory.create(`/ipc-${crypto.randomUUID()}`, SIZE, { unlinkOnClose: true });
    return { memory, name: memory.name };
  },
  open(name) {
    const memory = SharedMemory.open(name);
    memory.unlink();
    return memory;
  },
});

/** Through a file in the folder of the meeting. */
export const mappedFile: Pick<Meeting, "near" | "far"> = through({
  create(folder) {
    const name = `${folder}/ipc-${crypto.randomUUID()}`;
    const memory = MappedFile.open(name, { createNew: true, size: SIZE });
    return { memory, name };
  },
  open(name) {
    const memory = MappedFile.open(name);
    Deno.removeSync(name);
    return memory;
  },
});

function through(named: Named): Pick<Meeting, "near" | "far"> {
  return {
    async near({ start, folder, signal }: FarEnd): Promise<SyncChannel> {
      using made = new DisposableStack();
      const { memory, name } = named.create(folder);
      made.use(memory);
      prepare(memory);
      const ended = start(name, String(Deno.pid));
      await mappedArrival(memory, ended, signal);
      const kept = made.move();
      return mappedChannel("near", memory, (onGone) => Peer.child(ended, onGone), () => kept.dispose());
    },
    far([name, pid]): SyncChannel {
      const memory = named.open(name!);
      return mappedChannel("far", memory, (onGone) => Peer.parent(Number(pid), onGone), () => memory.close());
    },
  };
}
