/** What tests of services at sockets have in common. */

import { diagnostics } from "@ipc/core/sys";
import { until } from "./waiting.ts";

/** A test that ends when the thread that waits for descriptors has come back, which is a moment after they are closed. */
export function socketTest(name: string, options: { ignore?: boolean }, fn: () => Promise<void>): void {
  Deno.test(name, options, async () => {
    await fn();
    await until(() => diagnostics().poolThreads === 0);
  });
}

/** A folder that is gone at the end of the block. */
export function folder(): { readonly path: string } & Disposable {
  const path = Deno.makeTempDirSync({ prefix: "ipc-rpc-" });
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}
