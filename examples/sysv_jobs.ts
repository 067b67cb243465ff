// A queue of jobs in which the type of a message is its priority: the worker, a program in Perl, takes the lowest
// first. Its half is sysv_jobs_worker.pl. Run: deno run -A examples/sysv_jobs.ts
import { IPC_PRIVATE, MessageQueue } from "@ipc/sysv";

const RESULT = 10; // as the worker has it too; priorities are 1 to 9
const bytes = (text: string) => new TextEncoder().encode(text);

using queue = MessageQueue.create(IPC_PRIVATE, { removeOnClose: true });
for (const [limit, priority] of [[1000, 5], [100, 9], [10, 1]] as const) {
  await queue.send(bytes(`${limit}`), { type: priority });
}

// A private queue has no key: who is to use it is told its id.
const worker = new Deno.Command("perl", {
  args: [new URL("sysv_jobs_worker.pl", import.meta.url).pathname, `${queue.id}`],
}).spawn();
for (let job = 0; job < 3; job++) {
  const result = await queue.receiveMessage({ type: RESULT });
  console.log(new TextDecoder().decode(result?.data));
}

queue.remove(); // the worker, which waits for the next job, learns of it and leaves
console.log("the worker ended with status", (await worker.status).code);
