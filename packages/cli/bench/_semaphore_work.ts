/** What a process of ours does that is measured with semaphores: it gives through one, and takes from the other. */

import { restFigures, watchRest } from "./_idle.ts";
import type { Both, SemaphorePair } from "./_semaphore_pairs.ts";
import { figuresOf, trips, tripsSync } from "./_trips.ts";
import { type Command, cpuTime, linesOf, parseCommand } from "./_wire.ts";
import type { Figures } from "./contestant.ts";

/**
 * Runs as `near NAME PROGRAM [ARGUMENT…]`, where PROGRAM is to be the far end, or as `far NAME ARGUMENT…`.
 *
 * The far end is told what to do on its standard input, and answers on its standard output.
 */
export async function semaphoreWork(
  [role, _, ...rest]: readonly string[],
  pair: SemaphorePair,
): Promise<void> {
  if (role === "far") {
    using both = pair.open(rest);
    console.log("here");
    for await (const line of linesOf(Deno.stdin.readable)) console.log(await obey(both, parseCommand(line)));
    return;
  }
  const [command, ...args] = rest;
  using both = pair.make();
  const far = new Deno.Command(command!, {
    args: [...args, ...both.args],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const input = far.stdin.getWriter();
  const answers = linesOf(far.stdout);
  const answer = async () => {
    const { value, done } = await answers.next();
    if (done) throw new Error("Cannot measure: the far end is gone");
    return value;
  };
  await answer();
  both.met?.();
  console.log(JSON.stringify({ ready: true, pids: [far.pid] }));
  for await (const line of linesOf(Deno.stdin.readable)) {
    await input.write(new TextEncoder().encode(`${line}\n`));
    console.log(JSON.stringify(await measure(both, parseCommand(line), async () => Number(await answer()))));
  }
  await input.close();
  await far.status;
}

/** The near end. `there` gives the CPU time of the far end, in microseconds, once that has finished. */
async function measure(
  { there: ours, back: theirs }: Both,
  { test, count }: Command,
  there: () => Promise<number>,
): Promise<Figures> {
  const before = cpuTime();
  switch (test) {
    case "trip-sync": {
      const found = tripsSync(count, () => {
        ours.release();
        theirs.acquireSync();
      });
      return figuresOf(found, cpuTime() - before + await there());
    }
    case "trip-async":
    case "trip-wake": {
      const found = await trips(count, () => {
        ours.release();
        return theirs.acquire();
      });
      return figuresOf(found, cpuTime() - before + await there());
    }
    case "idle": {
      const waiting = theirs.acquire();
      const rest = await watchRest(count);
      ours.release();
      await waiting;
      return restFigures(rest, await there());
    }
  }
  throw new TypeError(`Cannot measure "${test}": no such test`);
}

/** The far end. Returns the CPU time that it took, in microseconds. */
async function obey({ there: theirs, back: ours }: Both, { test, count }: Command): Promise<number> {
  const before = cpuTime();
  switch (test) {
    case "trip-sync":
    case "trip-wake":
      for (let left = 2 * count; left > 0; left--) {
        theirs.acquireSync();
        ours.release();
      }
      break;
    case "trip-async":
      for (let left = 2 * count; left > 0; left--) {
        await theirs.acquire();
        ours.release();
      }
      break;
    case "idle": {
      const waiting = theirs.acquire();
      const { cpu } = await watchRest(count);
      await waiting;
      ours.release();
      return cpu;
    }
  }
  return cpuTime() - before;
}
