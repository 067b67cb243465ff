/** A channel through two System V message queues, one for each direction. */

import { duplex, IPC_PRIVATE, type SyncChannel } from "@ipc/core";
import { MessageQueue } from "@ipc/sysv";
import type { FarEnd } from "../meeting.ts";
import { removeAll } from "./remove_all.ts";

/** How often the far end looks whether the near one is alive, in milliseconds; while it blocks it does not look. */
const PERIOD = 1000;

/** Starts the far end and opens the near one. The queues go with its channel. */
export function near({ start }: FarEnd): Promise<SyncChannel> {
  using made = new DisposableStack();
  const create = () => made.use(MessageQueue.create(IPC_PRIVATE, { removeOnClose: true }));
  const [there, back] = [create(), create()];
  start(String(there.id), String(back.id), String(Deno.pid)).then(() => removeAll([there, back]));
  made.move();
  return Promise.resolve(duplex(back, there));
}

/** Opens the far end. */
export function far([thereId, backId, parent]: readonly string[]): SyncChannel {
  using opened = new DisposableStack();
  const open = (id: string | undefined) => opened.use(MessageQueue.open({ id: Number(id) }));
  const [there, back] = [open(thereId), open(backId)];
  const timer = setInterval(() => {
    if (Deno.ppid !== Number(parent)) removeAll([there, back]);
  }, PERIOD);
  Deno.unrefTimer(timer);
  opened.move();
  return duplex(there, back);
}
