import { openSemaphore } from "@ipc/address";
import { advice, readAddress, withParam } from "../_address.ts";
import { about } from "../_failure.ts";
import { countOperand, integer } from "../_options.ts";
import { verb } from "../_verb.ts";

export default verb({
  text: ["Gives N units, 1 unless told: back, or new ones. Whoever waits for them goes on."],
  options: { index: integer("I", "which semaphore of a set, from 0; the first unless told", 0) },
  examples: [
    ["ipc release sem:/busy", "one unit"],
    ["ipc release sysv-sem:0x4d2 5 --index 2", "five, to the third semaphore"],
  ],
  async run({ operands: [text, n], options: { index } }) {
    const address = withParam(readAddress(text!), "index", ["index", index], "semaphores with an index");
    const count = countOperand(n);
    await about(address.text, async () => {
      using semaphore = await openSemaphore(address);
      semaphore.release(count);
    }, advice(address));
  },
});
