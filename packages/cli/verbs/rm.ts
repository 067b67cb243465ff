import { remove } from "@ipc/address";
import { about, report, STATUS } from "../_failure.ts";
import { verb } from "../_verb.ts";

export default verb({
  text: [
    "Whoever has it open or mapped can go on with it. But System V queues and semaphores are gone at once: who " +
    "waits for them fails, and messages are lost. mmap:PATH is the file itself. What cannot be removed is told, and the others are removed.",
  ],
  options: {},
  examples: [["ipc rm fifo:/run/in mq:/jobs", "a FIFO and a queue"], [
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
