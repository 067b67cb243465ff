// A table in shared memory, as C would lay it out, which a Python program reads in place: nothing is copied or
// sent. Its half is sysv_table.py. Run: deno run -A examples/sysv_table.ts
import { IPC_PRIVATE, SharedMemory } from "@ipc/sysv";

const HEADER = 8; // uint64_t: how many rows
const ROW = 32; // struct { char name[16]; double price; uint32_t stock; }, with 4 bytes behind it

const fruits = [["apple", 0.35, 120], ["pear", 0.5, 8], ["fig", 1.25, 0]] as const;

using memory = SharedMemory.create(IPC_PRIVATE, HEADER + 100 * ROW, { removeOnClose: true });
const table = new DataView(memory.buffer);
for (const [index, [name, price, stock]] of fruits.entries()) {
  const row = HEADER + index * ROW;
  memory.write(row, new TextEncoder().encode(name));
  table.setFloat64(row + 16, price, true);
  table.setUint32(row + 24, stock, true);
}
// The count last, and as one store: whoever sees it sees the rows.
Atomics.store(new BigUint64Array(memory.buffer, 0, 1), 0, BigInt(fruits.length));

const python = new Deno.Command("python3", {
  args: [new URL("sysv_table.py", import.meta.url).pathname, `${memory.id}`],
}).spawn();
console.log("python ended with status", (await python.status).code);
