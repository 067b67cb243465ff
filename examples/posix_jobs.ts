// Jobs for a worker in C, by priority: what is urgent is done first, whatever was sent before it. The answers come
// back in a second queue, with the priority of their jobs. The other half is posix_jobs_worker.c, which is compiled
// here with cc. Run: deno run -A examples/posix_jobs.ts
import { MessageQueue } from "@ipc/posix";

const folder = await Deno.makeTempDir();
const program = `${folder}/worker`;
const source = new URL("posix_jobs_worker.c", import.meta.url).pathname;
const compiler = await new Deno.Command("cc", { args: ["-o", program, source, "-lrt"] }).output();
if (!compiler.success) throw new Error(new TextDecoder().decode(compiler.stderr));

const name = `/ipc-example-${crypto.randomUUID()}`;
const options = { maxMessages: 4, maxMessageSize: 64, unlinkOnClose: true };
using jobs = MessageQueue.create(`${name}-jobs`, options);
using answers = MessageQueue.create(`${name}-answers`, options);

const encoder = new TextEncoder();
for (const [limit, priority] of [[10, 1], [1000, 5], [100, 9]] as const) {
  await jobs.send(encoder.encode(`${limit}`), { priority });
}
await jobs.send(new Uint8Array()); // of priority 0, and so the last: no more will come

const worker = new Deno.Command(program, { args: [jobs.name, answers.name] }).spawn();
for (let job = 0; job < 3; job++) {
  const { data, priority } = (await answers.receiveMessage({ timeout: 30_000 }))!;
  console.log(`priority ${priority}: ${new TextDecoder().decode(data)}`);
}
await worker.status;
await Deno.remove(folder, { recursive: true });
