/**
 * A pool of worker processes behind pipes: whoever is free gets the next piece of the work.
 *
 *     deno run -A examples/rpc_workers.ts
 */
import { parentChannel, spawnWithChannel } from "@ipc/pipe";
import { client, serve } from "@ipc/rpc";

interface Worker {
  countPrimes(from: number, to: number): number;
}

if (Deno.args[0] === "worker") {
  await serve<Worker>(parentChannel(), {
    countPrimes(from, to) {
      let count = 0;
      for (let number = from; number < to; number++) if (isPrime(number)) count++;
      return count;
    },
  }).closed;
  Deno.exit();
}

const pieces = Array.from({ length: 40 }, (_, index) => [index * 10_000, (index + 1) * 10_000] as const);
let primes = 0;

async function work(): Promise<number> {
  const { process, channel } = spawnWithChannel(Deno.execPath(), {
    args: ["run", "-A", import.meta.filename!, "worker"],
  });
  let done = 0;
  {
    await using worker = client<Worker>(channel);
    for (let piece; (piece = pieces.pop()) !== undefined; done++) {
      const found = await worker.countPrimes(...piece);
      primes += found;
    }
  }
  await process.status; // It leaves when its pipe is closed.
  return done;
}

const done = await Promise.all([work(), work(), work(), work()]);
const all = done.reduce((sum, pieces) => sum + pieces);
console.log(`${primes} primes below 400000, in ${all} pieces, by ${done.length} workers`);

function isPrime(number: number): boolean {
  if (number < 2) return false;
  for (let factor = 2; factor * factor <= number; factor++) if (number % factor === 0) return false;
  return true;
}
