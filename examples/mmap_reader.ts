// Waits until a record is in memory that it shares with another process, wakes, reads it, and waits again. Its other
// half is mmap_writer.ts, which is started here. The semaphores are in the mapped file too, and the file is a new one
// in a folder of its own: nothing that an earlier run left behind, or somebody else, can be in the way.
// Run: deno run -A examples/mmap_reader.ts
import { MappedFile } from "@ipc/mmap";
import { Semaphore } from "@ipc/posix";

const folder = await Deno.makeTempDir();
const path = `${folder}/record`;
using file = MappedFile.open(path, { createNew: true, size: 80 });
using full = Semaphore.initialize(file, 0, 0); // 32 bytes each
using empty = Semaphore.initialize(file, 32, 1);
const record = new DataView(file.buffer, 64);

const writer = new URL("mmap_writer.ts", import.meta.url).pathname;
const other = new Deno.Command(Deno.execPath(), { args: ["run", "-A", writer, path] }).spawn();

for (;;) {
  await full.acquire(); // the event loop goes on meanwhile
  const value = record.getFloat64(0, true);
  const time = new Date(record.getFloat64(8, true));
  empty.release();
  if (Number.isNaN(value)) break;
  console.log(`${value} degrees at ${time.toISOString()}`);
}
await other.status;
await Deno.remove(folder, { recursive: true });
