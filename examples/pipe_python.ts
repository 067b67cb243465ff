// A Python program as the child: it finds its two descriptors in the variable IPC_CHANNEL and reads frames,
// each a length of four bytes, little-endian, and that many bytes. Its half is pipe_python.py.
// Run: deno run -A examples/pipe_python.ts
import { spawnWithChannel } from "@ipc/pipe";
import { json, typed } from "@ipc/core";

const { process, channel } = spawnWithChannel("python3", {
  args: [new URL("pipe_python.py", import.meta.url).pathname],
});
await using questions = typed(channel, json());

await questions.sendBatch([{ word: "level" }, { word: "stats" }, { word: "noon" }]);
await questions.end();
for await (const answer of questions) console.log(answer);
console.log("python ended with status", (await process.status).code);
