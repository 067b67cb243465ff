import { remove } from "@ipc/address";
import { about, report, STATUS } from "../_failure.ts";
import { verb } from "../_verb.ts";

export default verb({
  text: [
    "Whoever has a FIFO open or memory attached can go on with it. A queue and semaphores are gone at once: who " +
    "waits for them fails, and messages are lost. What cannot be removed is told, and the others are removed.",
  ],
  options: {},
  examples: [["ipc rm fifo:/run/in fifo:/run/out", "two FIFOs"], [
    "ipc rm 'sysv-shm:?id=42'",
    "by its id, as ls shows it",
  ]],
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
