// The other half of pipe_parent.ts, which starts it: answers each question until there are no more.
import { parentChannel } from "@ipc/pipe";
import { json, typed } from "@ipc/core";

type Question = { limit: number };

await using questions = typed(parentChannel(), json<Question>());

for await (const { limit } of questions) {
  const primes = [];
  for (let n = 2; n <= limit; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  await questions.send({ limit, primes: primes.length, largest: primes.at(-1) });
}
