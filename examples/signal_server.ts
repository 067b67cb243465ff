/**
 * A server that reads its configuration again on SIGHUP, and on SIGTERM gives everything back before it ends.
 *
 *     deno run -A examples/signal_server.ts &
 *     kill -HUP %1; kill -TERM %1
 */
import { onReload, runUntilStopped } from "@ipc/signal";

let generation = 1;

await runUntilStopped(async (stop, owned) => {
  owned.use(onReload(() => console.log(`configuration ${++generation}`)));
  owned.defer(() => console.log("everything given back"));
  const work = setInterval(() => {}, 1000); // A server has connections instead.
  owned.defer(() => clearInterval(work));
  console.log(`process ${Deno.pid} serves with configuration ${generation}`);
  await new Promise((resolve) => stop.addEventListener("abort", resolve));
  console.log(stop.reason.message);
});
