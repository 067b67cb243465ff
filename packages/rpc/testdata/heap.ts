/** A process of two peers whose requests always have to wait: prints by how many MiB its heap grew meanwhile. */

import { client, serve } from "../mod.ts";
import { link } from "./link.ts";

interface Api {
  soon(text: string): number;
}

const heap = () => {
  (globalThis as unknown as { gc(): void }).gc();
  return Deno.memoryUsage().heapUsed / 2 ** 20;
};

const [here, there] = link();
const server = serve<Api>(there, {
  async soon(text) {
    await new Promise((resolve) => setTimeout(resolve));
    return text.length;
  },
}, { limits: { maxRunning: 2 } });
const api = client<Api>(here);

let left = 4000;
let [before, after] = [0, 0];
async function ask(): Promise<void> {
  while (left-- > 0) {
    await api.soon(`${left} ${"x".repeat(8000)}`);
    if (left === 3900) before = heap();
    // Here others wait still.
    if (left === 100) after = heap();
  }
}
await Promise.all(Array.from({ length: 20 }, ask));
console.log(after - before);
server.close();
