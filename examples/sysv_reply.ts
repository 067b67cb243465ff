// Answers questions that come through a queue, each to the process that asked.
// Its other half is sysv_request.ts; start either one first.
// Run: deno run -A examples/sysv_reply.ts & deno run -A examples/sysv_request.ts
import { json } from "@ipc/core";
import { MessageQueue, stableKey } from "@ipc/sysv";

const REQUEST = 2 ** 31 - 1; // the type of a request: no process has this number
const { encode, decode } = json<{ from: number; word: string; palindrome?: boolean }>();

using queue = MessageQueue.openOrCreate(stableKey("ipc-example-requests"));
while (true) {
  const request = await queue.receiveMessage({ type: REQUEST });
  const { from, word } = decode(request!.data);
  if (word === "") break;
  const palindrome = word === [...word].reverse().join("");
  // Requests that fill the queue keep answers out of it, so nobody should wait for room for ever.
  await queue.send(encode({ from: Deno.pid, word, palindrome }), { type: from, timeout: 5000 });
}
queue.remove();
