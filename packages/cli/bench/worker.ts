/** The program of both ends of ours while they are measured. */

import { meetings } from "@ipc/address/meeting";
import { crowdWork, listenTo } from "./_crowd_work.ts";
import { logWork } from "./_log_work.ts";
import { memoryWork } from "./_memory_work.ts";
import { plainQueues } from "./_plain_queues.ts";
import { pairs } from "./_semaphore_pairs.ts";
import { semaphoreWork } from "./_semaphore_work.ts";
import { signalWork } from "./_signal_work.ts";
import { work } from "./_work.ts";

if (import.meta.main) {
  const name = Deno.args[1];
  const pair = pairs.find((pair) => pair.name === name);
  if (name === "memory" || name === "own-memory") await memoryWork(name);
  else if (name === "file-log") await logWork(Deno.args);
  else if (name === "unix-crowd" || name === "tcp-crowd") await crowdWork(Deno.args, listenTo[name]);
  else if (name === "signal") await signalWork(Deno.args);
  else if (pair !== undefined) await semaphoreWork(Deno.args, pair);
  else await work(Deno.args, [plainQueues, ...meetings]);
}
