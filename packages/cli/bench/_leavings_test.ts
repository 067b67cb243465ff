import { assert, assertEquals } from "@std/assert";
import { IPC_PRIVATE, list, MessageQueue, SemaphoreSet } from "@ipc/sysv";
import { removeObjectsOf } from "./_leavings.ts";
import { ownContestant } from "./own.ts";

/** Both ends of a mechanism, once they are ready, killed. */
async function killed(name: string): Promise<{ pids: number[]; made: Objects }> {
  const before = objects();
  const { command, args } = ownContestant(name);
  const near = new Deno.Command(command, { args: [...args], stdin: "piped", stdout: "piped" }).spawn();
  const reader = near.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await reader.read();
  const { pids: [far] }: { pids: number[] } = JSON.parse(value!);
  const made = without(objects(), before);
  for (const pid of [near.pid, far!]) Deno.kill(pid, "SIGKILL");
  await near.status;
  await reader.cancel();
  await near.stdin.close().catch(() => {});
  return { pids: [near.pid, far!], made };
}

/** The ids of what has no key, of both kinds. */
interface Objects {
  readonly queues: readonly number[];
  readonly sets: readonly number[];
}

function objects(): Objects {
  const { queues, semaphoreSets } = list();
  const ids = (objects: typeof queues | typeof semaphoreSets) => {
    return objects.filter(({ key }) => key === IPC_PRIVATE).map(({ id }) => id);
  };
  return { queues: ids(queues), sets: ids(semaphoreSets) };
}

function without(all: Objects, others: Objects): Objects {
  return {
    queues: all.queues.filter((id) => !others.queues.includes(id)),
    sets: all.sets.filter((id) => !others.sets.includes(id)),
  };
}

for (
  const { name, kind, count } of [
    { name: "sysv-msg", kind: "queues", count: 2 },
    { name: "sysv-semaphores", kind: "sets", count: 1 },
  ] as const
) {
  Deno.test(`removeObjectsOf(): what both ends of ${name} leave, and nothing of somebody else`, async () => {
    using queue = MessageQueue.create(IPC_PRIVATE, { removeOnClose: true });
    using set = SemaphoreSet.create(IPC_PRIVATE, { removeOnClose: true });
    queue.sendSync(new Uint8Array(1));
    const { pids, made } = await killed(name);
    // Others on this machine make some, too.
    const theirs = made[kind];
    try {
      const left = objects()[kind].filter((id) => theirs.includes(id));
      assert(left.length >= count, "they leave nothing: nothing is tested");
    } finally {
      removeObjectsOf(pids);
    }
    const after = objects();
    assert(theirs.filter((id) => !after[kind].includes(id)).length >= count);
    assertEquals([after.queues.includes(queue.id), after.sets.includes(set.id)], [true, true]);
  });
}
