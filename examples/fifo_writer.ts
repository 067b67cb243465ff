// Sends jobs into a FIFO, of any size; run several at once and none will mix with another's.
// Its other half is fifo_reader.ts. Run: deno run -A examples/fifo_reader.ts & deno run -A examples/fifo_writer.ts
import { json, typed } from "@ipc/core";
import { Fifo } from "@ipc/fifo";

// Waits until somebody reads; neither the event loop nor a thread is blocked meanwhile.
const writer = await Fifo.open("/tmp/ipc-example-jobs", "write", { create: true });
await using jobs = typed(writer, json());

for (const [number, size] of [10, 5_000, 1_000_000].entries()) {
  await jobs.send({ from: Deno.pid, number, payload: "x".repeat(size) });
}
