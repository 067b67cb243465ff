import { openSemaphore } from "@ipc/address";
import { advice, readAddress, withParam } from "../_address.ts";
import { about, Failed } from "../_failure.ts";
import { duration, integer } from "../_options.ts";
import { verb } from "../_verb.ts";

export default verb({
  text: [
    "Takes one unit, waiting until it is there, and runs the command: its streams, its signals and its exit status. " +
    "The unit is given back when the command ends.",
    "With a System V semaphore this process becomes the command, and the kernel gives the unit back however it ends, " +
    "also by kill -9. A POSIX semaphore knows nothing of its holders: this process stays until the command ends, and " +
    "where it is itself killed with kill -9 the unit is lost; ipc release makes up for it.",
    "Processes that the command leaves behind hold nothing. The exit status is 124 where the time was over, 127 " +
    "where there is no such command, 126 where it cannot be run.",
  ],
  options: {
    index: integer("I", "which semaphore of a set, from 0; the first unless told", 0),
    timeout: duration("T", "give up when it is not there after so long; 0 does not wait"),
  },
  examples: [
    ["ipc with sysv-sem:0x4d2 -- make deploy", "one at a time, where the semaphore began with 1"],
    ["ipc with sem:/busy -- make deploy", "the same with a POSIX semaphore"],
    ["ipc with sysv-sem:0x4d2 --timeout 0 -- backup || echo 'it is running'", "now or not at all"],
  ],
  async run({ operands: [text, ...command], options: { index, timeout }, io }) {
    const address = withParam(readAddress(text!), "index", ["index", index], "semaphores with an index");
    const { become, run } = io;
    if (become === undefined || run === undefined) {
      throw new Failed("this is no process of its own that could run a command");
    }
    using semaphore = await about(address.text, () => openSemaphore(address), advice(address));
    const undo = semaphore.undoes;
    await about(address.text, () => semaphore.acquire(1, { undo, timeout, signal: io.signal }));
    if (undo) return become(command);
    try {
      io.signal.throwIfAborted();
      return await run(command);
    } finally {
      semaphore.release();
    }
  },
});
