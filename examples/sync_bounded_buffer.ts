// A buffer with room for four in shared memory: producers wait while it is full, consumers while it is empty, and
// each is a process of its own. All of them look at the buffer with the lock held only, and sleep until another has
// changed what they wait for. Run: deno run -A examples/sync_bounded_buffer.ts
import { array, struct, u32 } from "@ipc/mmap/struct";
import { SharedMemory } from "@ipc/posix";
import { Condition, Mutex, type MutexGuard } from "@ipc/sync";

const ROOM = 4;
const Buffer = struct({ put: u32, taken: u32, items: array(u32, ROOM) });
const [MUTEX, NOT_FULL, NOT_EMPTY, BUFFER] = [0, 16, 32, 48];

const [role, name = `/ipc-example-${crypto.randomUUID()}`] = Deno.args;
using memory = role === undefined
  ? SharedMemory.create(name, 4096, { unlinkOnClose: true })
  : SharedMemory.open(name);
const make = role === undefined ? "initialize" : "at";
using mutex = Mutex[make](memory, MUTEX);
using notFull = Condition[make](memory, NOT_FULL);
using notEmpty = Condition[make](memory, NOT_EMPTY);
const buffer = Buffer.at(memory, BUFFER);

// Whoever is killed in the middle has put an item in or not, for the count is changed last: nothing is to be repaired.
// A wait gives the lock up and takes it again, so this is looked at each time before the buffer is.
function repaired(guard: MutexGuard): boolean {
  if (guard.abandoned) guard.markConsistent();
  return true;
}

async function put(item: number): Promise<void> {
  await mutex.withLock(async (guard) => {
    await notFull.waitFor(guard, () => repaired(guard) && buffer.put - buffer.taken < ROOM);
    buffer.items.set(buffer.put % ROOM, item);
    buffer.put++;
  });
  notEmpty.notifyOne();
}

async function take(): Promise<number> {
  const item = await mutex.withLock(async (guard) => {
    await notEmpty.waitFor(guard, () => repaired(guard) && buffer.put > buffer.taken);
    const item = buffer.items.at(buffer.taken % ROOM);
    buffer.taken++;
    return item;
  });
  notFull.notifyOne();
  return item;
}

if (role === "producer") {
  for (let item = 1; item <= 1000; item++) await put(item);
} else if (role === "consumer") {
  let sum = 0;
  for (let item; (item = await take()) !== 0;) sum += item;
  console.log(sum);
} else {
  const start = (role: string) =>
    new Deno.Command(Deno.execPath(), { args: ["run", "-A", import.meta.filename!, role, name] }).output();
  const consumers = [start("consumer"), start("consumer"), start("consumer")];
  await Promise.all([start("producer"), start("producer")]);
  for (const _ of consumers) await put(0); // no more will come
  const sums = (await Promise.all(consumers)).map(({ stdout }) => Number(new TextDecoder().decode(stdout)));
  console.log(`${buffer.taken - consumers.length} items went through ${ROOM} places`);
  console.log(`their sum is ${sums.reduce((sum, each) => sum + each)}`);
}
