// A counter in shared memory that this program and one in C increase at the same time. Increasing takes a reading
// and a writing, so a semaphore lets one of them at it at a time. The other half is sysv_counter.c, which is
// compiled here with cc. Run: deno run -A examples/sysv_counter.ts
import { IPC_PRIVATE, SemaphoreSet, SharedMemory } from "@ipc/sysv";

const TIMES = 20_000;
const [LOCK, START] = [0, 1]; // the members of the set: one is free or taken, the other counts who is not there yet

const program = await Deno.makeTempFile();
const source = new URL("sysv_counter.c", import.meta.url).pathname;
const compiler = await new Deno.Command("cc", { args: ["-o", program, source] }).output();
if (!compiler.success) throw new Error(new TextDecoder().decode(compiler.stderr));

using memory = SharedMemory.create(IPC_PRIVATE, 8, { removeOnClose: true });
using set = SemaphoreSet.create(IPC_PRIVATE, { size: 2, initial: [1, 2], removeOnClose: true });
const other = new Deno.Command(program, { args: [memory.id, set.id, TIMES].map(String) }).spawn();

const counter = new BigInt64Array(memory.buffer);
const lock = set.at(LOCK);
set.at(START).acquireSync();
await set.at(START).waitForZero(); // both are there
for (let time = 0; time < TIMES; time++) {
  // With undo the kernel gives the lock back if we are killed while we hold it.
  lock.acquireSync(1, { undo: true });
  counter[0]!++;
  lock.release(1, { undo: true });
}

console.log("C ended with status", (await other.status).code);
console.log(`twice ${TIMES} is ${counter[0]}`);
await Deno.remove(program);
