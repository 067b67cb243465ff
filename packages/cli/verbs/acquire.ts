import { openSemaphore } from "@ipc/address";
import { advice, readAddress, withParam } from "../_address.ts";
import { about } from "../_failure.ts";
import { countOperand, duration, integer } from "../_options.ts";
import { verb } from "../_verb.ts";

export default verb({
  text: [
    "Takes N units, 1 unless told, all at once, and waits until they are there. A POSIX semaphore has them one by one.",
    "Nobody gives them back but release: not when the script that calls this ends, nor when it is killed. What is " +
    "to be given back in any case is run by with.",
  ],
  options: {
    index: integer("I", "which semaphore of a set, from 0; the first unless told", 0),
    timeout: duration("T", "give up when they are not there after so long; 0 does not wait"),
  },
  examples: [
    ["ipc acquire sem:/busy", "one unit"],
    ["ipc acquire sysv-sem:0x4d2 3 --timeout 2s || echo busy", "three or none, within two seconds"],
  ],
  async run({ operands: [text, n], options: { index, timeout }, io }) {
    const address = withParam(readAddress(text!), "index", ["index", index], "semaphores with an index");
    const count = countOperand(n);
    await about(address.text, async () => {
      using semaphore = await openSemaphore(address);
      await semaphore.acquire(count, { timeout, signal: io.signal });
    }, advice(address));
  },
});
