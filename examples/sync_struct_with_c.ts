// A struct that a program in C changes too, under one lock: libc's own mutex, which both know. Without it additions
// would get lost, for the sum and the count are changed one after the other. The other half is sync_struct_with_c.c,
// which is compiled here with cc. Run: deno run -A examples/sync_struct_with_c.ts
import { f64, struct, u32 } from "@ipc/mmap/struct";
import { SharedMemory } from "@ipc/posix";
import { PthreadMutex } from "@ipc/sync";

const Tally = struct({ count: u32, sum: f64 }, { name: "tally" });
const TALLY = 64; // behind the mutex, which has 40 or 48 bytes

const folder = await Deno.makeTempDir();
await Deno.writeTextFile(`${folder}/tally.h`, Tally.toC());
const source = new URL("sync_struct_with_c.c", import.meta.url).pathname;
const compiler = await new Deno.Command("cc", { args: ["-I", folder, "-o", `${folder}/add`, source, "-lrt"] })
  .output();
if (!compiler.success) throw new Error(new TextDecoder().decode(compiler.stderr));

using memory = SharedMemory.create(`/ipc-example-${crypto.randomUUID()}`, 4096, { unlinkOnClose: true });
using mutex = PthreadMutex.initialize(memory, 0);
const tally = Tally.at(memory, TALLY);
const other = new Deno.Command(`${folder}/add`, { args: [memory.name] }).spawn(); // adds 0.25 20,000 times

for (let each = 0; each < 20_000; each++) {
  using guard = mutex.lockSync();
  if (guard.abandoned) {
    // The program in C was killed with the lock held, perhaps between the two: all values are the same, luckily.
    tally.sum = tally.count / 4;
    guard.markConsistent();
  }
  tally.sum += 0.25;
  tally.count++;
}
console.log("C ended with status", (await other.status).code);
console.log(`${tally.count} values, whose sum is ${tally.sum}`);
await Deno.remove(folder, { recursive: true });
