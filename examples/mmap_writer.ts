// Measures something now and then, and puts it into memory that another process has mapped too: a record of a value
// and its time. Then it signals, and goes on when the record was taken. Its other half is mmap_reader.ts, which makes
// the file and starts this. Run: deno run -A examples/mmap_reader.ts
import { MappedFile } from "@ipc/mmap";
import { Semaphore } from "@ipc/posix";

const [path] = Deno.args;
if (path === undefined) throw new Error("Cannot start: mmap_reader.ts does that");
using file = MappedFile.open(path);
using full = Semaphore.at(file, 0);
using empty = Semaphore.at(file, 32);
const record = new DataView(file.buffer, 64);

for (const value of [19.5, 20.25, 21, NaN]) { // the last one says that no more will come
  await empty.acquire();
  record.setFloat64(0, value, true);
  record.setFloat64(8, Date.now(), true);
  full.release();
}
