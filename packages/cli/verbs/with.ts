import { openSemaphore } from "@ipc/address";
import { advice, readAddress, withParam } from "../_address.ts";
import { about, Failed } from "../_failure.ts";
import { duration, integer } from "../_options.ts";
import { verb } from "../_verb.ts";

export default verb({
  text: [
    "Takes one unit, waiting until it is there, and becomes the command: its exit status and its signals are the " +
    "command's own. The kernel gives the unit back when the command ends, however it ends, also by kill -9.",
    "Processes that the command leaves behind hold nothing. The exit status is 124 where the time was over, 127 " +
    "where there is no such command, 126 where it cannot be run.",
  ],
  options: {
    index: integer("I", "which semaphore of a set, from 0; the first unless told", 0),
    timeout: duration("T", "give up when it is not there after so long; 0 does not wait"),
  },
  examples: [
    ["ipc with sysv-sem:0x4d2 -- make deploy", "one at a time, where the semaphore began with 1"],
    ["ipc with sysv-sem:0x4d2 --timeout 0 -- backup || echo 'it is running'", "now or not at all"],
  ],
  async run({ operands: [text, ...command], options: { index, timeout }, io }) {
    const address = withParam(readAddress(text!), "index", ["index", index], "semaphores with an index");
    const { become } = io;
    if (become === undefined) throw new Failed("this is no process of its own that could become a command");
    await about(address.text, async () => {
      using semaphore = await openSemaphore(address);
      await semaphore.acquire(1, { undo: true, timeout, signal: io.signal });
    }, advice(address));
    return become(command);
  },
});
