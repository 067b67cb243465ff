// Takes jobs from everybody who writes to a FIFO. Its other half is fifo_writer.ts; start either one first.
// Run: deno run -A examples/fifo_reader.ts & deno run -A examples/fifo_writer.ts
import { json, typed } from "@ipc/core";
import { Fifo, unlink } from "@ipc/fifo";

const path = "/tmp/ipc-example-jobs";
const reader = await Fifo.open(path, "read", { create: true });
await using jobs = typed(reader, json<{ from: number; number: number; payload: string }>());

// The end comes when the last writer has gone; with `keepOpen: true` the reader would stay for the next one.
for await (const { from, number, payload } of jobs) {
  console.log(`process ${from}, job ${number}: ${payload.length} characters`);
}
unlink(path);
