/** Pairs for the contract's checks; in a module of their own, for some run in a process of their own. */

import { IPC_PRIVATE } from "@ipc/core";
import type { ChannelPair } from "@ipc/core/testing";
import { MappedFile } from "@ipc/mmap";
import { SemaphoreSet, SharedMemory } from "@ipc/sysv";
import * as memory from "../_meetings/memory.ts";
import * as semaphores from "../_meetings/semaphores.ts";
import { Peer } from "../_meetings/peer.ts";
import * as posts from "../_meetings/posts.ts";
import { setChannel } from "../_meetings/sets.ts";
import type { Slots } from "../_meetings/slots.ts";

const options = { removeOnClose: true } as const;

/** Both ends of a channel through shared memory. */
export function openMemory(): ChannelPair {
  const made = new DisposableStack();
  const shared = made.use(SharedMemory.create(IPC_PRIVATE, memory.NEEDS.size, options));
  const turns = made.use(SemaphoreSet.create(IPC_PRIVATE, { ...memory.NEEDS.semaphores, ...options }));
  return pairOf(turns, memory.slotsIn(shared), made);
}

/** Both ends of a channel through semaphores. */
export function openSemaphores(): ChannelPair {
  const made = new DisposableStack();
  const [turns, ...data] = semaphores.NEEDS.map((needed) => {
    return made.use(SemaphoreSet.create(IPC_PRIVATE, { ...needed, ...options }));
  });
  return pairOf(turns!, semaphores.slotsIn(data), made);
}

/** Both ends of a channel through a mapped file with POSIX semaphores in it. */
export function openMapped(): ChannelPair {
  const path = Deno.makeTempFileSync();
  using made = new DisposableStack();
  const [near, far] = [1, 2].map(() => made.use(MappedFile.open(path, { size: posts.SIZE })));
  Deno.removeSync(path);
  posts.prepare(near!);
  made.move();
  // Both ends are this process.
  const peer = (onGone: () => void) => Peer.child(new Promise(() => {}), onGone);
  return {
    sender: posts.mappedChannel("near", near!, peer, () => near!.close()),
    receiver: posts.mappedChannel("far", far!, peer, () => far!.close()),
  };
}

/** The objects go when both ends are closed, as they do when the ends are processes. */
function pairOf(
  turns: SemaphoreSet,
  slots: { there: Slots; back: Slots },
  made: DisposableStack,
): ChannelPair {
  // Some of the checks end their process as it stands.
  globalThis.addEventListener("unload", () => made.dispose());
  let open = 2;
  const close = () => {
    if (--open === 0) made.dispose();
  };
  return {
    sender: setChannel("near", turns, slots, close),
    receiver: setChannel("far", turns, slots, close),
  };
}
