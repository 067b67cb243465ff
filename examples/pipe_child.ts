// The other half of pipe_parent.ts, which starts it: answers each question until there are no more.
import { parentChannel } from "@ipc/pipe";
import { json, typed } from "@ipc/core";

await using questions = typed(parentChannel(), json());

for await (const question of questions) {
  const { limit } = question as { limit: number };
  const primes: number[] = [];
  for (let n = 2; n <= limit; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  await questions.send({ limit, primes: primes.length, largest: primes.at(-1) });
}
