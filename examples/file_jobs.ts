// A job queue that survives a reboot of both sides: no job is lost, and none that was done comes again. Producer and
// workers need not run at the same time; start as many workers as you like, and kill -9 one of them.
//
//     deno run -A examples/file_jobs.ts add "resize cat.jpg" "resize dog.jpg"
//     deno run -A examples/file_jobs.ts work            # goes on until Ctrl-C; with --once until nothing is left
//     deno run -A examples/file_jobs.ts status
//
// JOBS is where the queue is, SECONDS how long a worker takes for a job.
import { FileLog } from "@ipc/file";

const [command, ...args] = Deno.args;
const seconds = Number(Deno.env.get("SECONDS") ?? 0);
using log = FileLog.openOrCreate(Deno.env.get("JOBS") ?? "/var/tmp/ipc-example-jobs", { fsync: "always" });

switch (command) {
  case "add": {
    using writer = log.writer();
    await writer.sendBatch(args.map((job) => new TextEncoder().encode(job)));
    // They are on the disk by now.
    console.log(`job ${writer.last} is the last`);
    break;
  }
  case "work": {
    using worker = log.consumer("workers");
    const next = () => args.includes("--once") ? worker.tryReceiveRecord() : worker.receiveRecord();
    for (let record; (record = await next()) !== undefined;) {
      console.log(`job ${record.sequence}: ${new TextDecoder().decode(record.data)}`);
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000)); // A worker does it instead.
      // Whoever dies before this line has another do the job.
      record.acknowledge();
    }
    break;
  }
  case "status":
    for (const { position, waiting, out } of log.stat().consumers) {
      console.log(`all before ${position} done, ${out} under way, ${waiting} to do`);
    }
    break;
  default:
    console.error("add JOB..., work [--once], or status");
    Deno.exit(2);
}
