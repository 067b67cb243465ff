/**
 * A channel through two POSIX message queues and nothing else. That of the demo also watches whether the other end
 * lives, for which a queue does nothing: here it is the queue that is measured.
 */

import { duplex } from "@ipc/core";
import type { Meeting } from "@ipc/address/meeting";
import { MessageQueue } from "@ipc/posix";

/** How often the far end looks whether the near one is alive, in milliseconds. */
const PERIOD = 1000;

/** The meeting. The queues have no names any more as soon as the far end has opened them. */
export const plainQueues: Meeting = {
  name: "mq",
  endDetectable: false,
  near({ start }) {
    using made = new DisposableStack();
    const create = () => {
      return made.use(MessageQueue.create(`/ipc-bench-${crypto.randomUUID()}`, { unlinkOnClose: true }));
    };
    const [there, back] = [create(), create()];
    start(there.name, back.name);
    made.move();
    return Promise.resolve(duplex(back, there));
  },
  far(names) {
    const [there, back] = names.map((name) => MessageQueue.open(name));
    for (const queue of [there!, back!]) queue.unlink();
    const parent = Deno.ppid;
    Deno.unrefTimer(setInterval(() => {
      if (Deno.ppid !== parent) Deno.exit(0);
    }, PERIOD));
    return duplex(there!, back!);
  },
};
