import { remove } from "@ipc/address";
import { about, report, STATUS } from "../_failure.ts";
import { verb } from "../_verb.ts";

export default verb({
  text: [
    "Whoever has an object open can go on with it. What cannot be removed is told, and the others are removed.",
  ],
  options: {},
  examples: [["ipc rm fifo:/run/in fifo:/run/out", "two FIFOs"]],
  async run({ operands, io }) {
    let status: number = STATUS.done;
    for (const address of operands) {
      try {
        await about(address, () => remove(address));
      } catch (error) {
        status = Math.max(status, await report(io, "rm", error));
      }
    }
    return status;
  },
});
