// Full duplex: two pipes, each one way, joined into two channels that both send and receive.
// Run: deno run -A examples/pipe_duplex.ts
import { createPipe } from "@ipc/pipe";
import { duplex, text, typed } from "@ipc/core";

const there = createPipe();
const back = createPipe();
await using ping = typed(duplex(back.reader, there.writer), text);
await using pong = typed(duplex(there.reader, back.writer), text);

const echo = (async () => {
  for await (const word of pong) await pong.send(`${word}!`);
  await pong.end();
})();

await ping.sendBatch(["both", "ways", "at once"]);
await ping.end();
for await (const answer of ping) console.log(answer);
await echo;
