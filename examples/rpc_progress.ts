/**
 * A long job in another process that tells how far it is, and stops when it is no longer wanted.
 *
 *     deno run -A examples/rpc_progress.ts
 */
import { parentChannel, spawnWithChannel } from "@ipc/pipe";
import { client, type RpcContext, serve } from "@ipc/rpc";

interface Jobs {
  copy(files: string[], progress: (done: number) => void): string;
  stopped(): string[];
}

if (Deno.args[0] === "worker") {
  const stopped: string[] = [];
  await serve<Jobs>(parentChannel(), {
    async copy(this: RpcContext, files, progress) {
      for (const [index, file] of files.entries()) {
        if (this.signal.aborted) {
          stopped.push(`before ${file}`);
          throw this.signal.reason;
        }
        await new Promise((resolve) => setTimeout(resolve, 10)); // Copying, as it were.
        await progress(index + 1);
      }
      return `${files.length} files`;
    },
    stopped: () => stopped,
  }).closed;
  Deno.exit();
}

const { process, channel } = spawnWithChannel(Deno.execPath(), {
  args: ["run", "-A", import.meta.filename!, "worker"],
});
{
  await using jobs = client<Jobs>(channel);
  const files = ["a", "b", "c", "d", "e"];

  console.log("copied", await jobs.copy(files, (done) => console.log(`${done} of ${files.length}`)));

  const enough = new AbortController();
  const job = jobs.with({ signal: enough.signal, timeout: 60_000 }).copy(files, (done) => {
    if (done === 3) enough.abort(new Error("that is enough"));
  });
  await job.catch((error) => console.log("gave up:", error.message));
  while ((await jobs.stopped()).length === 0);
  console.log("it stopped", (await jobs.stopped())[0]);
}
await process.status;
