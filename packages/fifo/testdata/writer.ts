/**
 * One of several writers: sends messages until it has sent `count`, or its standard input ends; then prints how many.
 *
 * Arguments: path, id, count, the longest message in bytes.
 */

import { Fifo } from "../mod.ts";
import { makeMessage } from "./message.ts";

const [path, id, count, longest] = [Deno.args[0]!, ...Deno.args.slice(1).map(Number)] as [
  string,
  number,
  number,
  number,
];
let stopped = false;
if (count === Infinity) {
  Deno.stdin.read(new Uint8Array(1)).then(() => stopped = true);
}

const writer = await Fifo.open(path, "write", { timeout: 10_000 });
let number = 0;
while (number < count && !stopped) {
  // Some one by one, some together, some by blocking.
  const messages = Array.from(
    { length: Math.min(1 + number % 3, count - number) },
    (_, index) => makeMessage(id, number + index, longest),
  );
  if (messages.length === 1) writer.sendSync(messages[0]!);
  else await Promise.all(messages.map((message) => writer.send(message)));
  number += messages.length;
  // Blocking sends alone would never let the end of the input be seen.
  await new Promise((resolve) => setTimeout(resolve, 0));
}
await writer.end();
console.log(number);
