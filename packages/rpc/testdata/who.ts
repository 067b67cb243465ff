/** A second process that asks who it is. */

import { connectLocal } from "../local.ts";

interface Api {
  whoAmI(): unknown;
}

using api = await connectLocal<Api>(Deno.args[0]!);
console.log(JSON.stringify({ pid: Deno.pid, told: await api.whoAmI() }));
