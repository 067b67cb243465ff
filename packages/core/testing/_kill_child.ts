/** What a process that the kill suite starts runs: `_kill_child.ts MODULE EXPORT ROLE NTH WHEN [ARGUMENT…]`. */

import type { Receiver, Sender, SyncReceiver, SyncSender } from "../channel.ts";
import { withFault } from "./faults.ts";
import { lettersOf, same } from "./_kill_letters.ts";
import type { TortureMechanism, TortureRole } from "./torture.ts";

if (import.meta.main) {
  const [module, name, role, nth, when, ...rest] = Deno.args;
  const mechanism: TortureMechanism = (await import(module!))[name!];
  const { sender, receiver } = await mechanism.join(role as TortureRole, rest);
  // A writer that still waits for its reader would not notice that it came and died.
  const met = role === "receive" && !mechanism.fromBirth ? await meet(receiver!) : 0;
  const run = await withFault(
    { nth: Number(nth), kill: when as "before" | "after" },
    () => role === "send" ? sendAll(sender!) : receiveAll(receiver!, met),
  );
  if (run.error !== undefined) throw run.error;
}

/** Sends in all the ways there are, in order. */
async function sendAll(sender: Sender & Partial<SyncSender>): Promise<void> {
  const letters = lettersOf();
  await sender.send(letters[0]!);
  if (sender.sendSync !== undefined) sender.sendSync(letters[1]!);
  else await sender.send(letters[1]!);
  const together = letters.slice(2, 5).map((letter) => sender.send(letter));
  await Promise.all(together);
  await sender.sendBatch(letters.slice(5, 9));
  if (sender.trySend?.(letters[9]!) !== true) await sender.send(letters[9]!);
  await sender.end();
  sender.close();
}

/** Receives the first message, so that both ends are there, and returns how many that are. */
async function meet(receiver: Receiver): Promise<number> {
  await receiver.receive();
  return 1;
}

/** Receives in all the ways there are, from the message with this number on. */
async function receiveAll(receiver: Receiver & Partial<SyncReceiver>, from: number): Promise<void> {
  const letters = lettersOf();
  for (let index = from; index < letters.length;) {
    const batch = index % 3 === 0
      ? [await receiver.receive()]
      : index % 3 === 1 && receiver.receiveSync !== undefined
      ? [receiver.receiveSync()]
      : await receiver.receiveBatch();
    for (const letter of batch) {
      if (letter === undefined || !same(letter, letters[index]!)) {
        throw new Error(`Expected message ${index} whole`);
      }
      index++;
    }
  }
  if (await receiver.receive() !== undefined) throw new Error("Expected the end");
  receiver.close();
}
