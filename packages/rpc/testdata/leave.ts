/** A second process that is told how far a method is, and leaves, or fails each time. */

import { connectLocal } from "../local.ts";

const [address, how] = Deno.args as [string, "leaves" | "fails"];
const api = await connectLocal<{ work(tell: (count: number) => void): void }>(address);
let told = 0;
await api.work(() => {
  if (++told === 5) Deno.exit(7);
  if (how === "fails") throw new Error("not this one");
});
