// Waits until a record is in memory that it shares with another process, wakes, reads it, and waits again. Its other
// half is mmap_writer.ts; start either one first.
// Run: deno run -A examples/mmap_reader.ts & deno run -A examples/mmap_writer.ts
import { MappedFile } from "@ipc/mmap";
import { Semaphore } from "@ipc/posix";

const path = "/tmp/ipc-example-record";
using file = MappedFile.open(path, { create: true, size: 16 });
using full = Semaphore.openOrCreate("/ipc-example-full", { initial: 0 });
using empty = Semaphore.openOrCreate("/ipc-example-empty", { initial: 1 });
const record = new DataView(file.buffer);

for (;;) {
  await full.acquire(); // the event loop goes on meanwhile
  const value = record.getFloat64(0, true);
  const time = new Date(record.getFloat64(8, true));
  empty.release();
  if (Number.isNaN(value)) break;
  console.log(`${value} degrees at ${time.toISOString()}`);
}
full.unlink();
empty.unlink();
await Deno.remove(path);
