// Measures something now and then, and puts it into memory that another process has mapped too: a record of a value
// and its time. Then it signals, and goes on when the record was taken. Its other half is mmap_reader.ts; start either
// one first. Run: deno run -A examples/mmap_reader.ts & deno run -A examples/mmap_writer.ts
import { MappedFile } from "@ipc/mmap";
import { Semaphore } from "@ipc/posix";

using file = MappedFile.open("/tmp/ipc-example-record", { create: true, size: 16 });
using full = Semaphore.openOrCreate("/ipc-example-full", { initial: 0 });
using empty = Semaphore.openOrCreate("/ipc-example-empty", { initial: 1 });
const record = new DataView(file.buffer);

for (const value of [19.5, 20.25, 21, NaN]) { // the last one says that no more will come
  await empty.acquire();
  record.setFloat64(0, value, true);
  record.setFloat64(8, Date.now(), true);
  full.release();
}
