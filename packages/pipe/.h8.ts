import { FaultTrial, operations } from "../core/testing/_fault_operations.ts";
import { withFault } from "../core/testing/faults.ts";
import { open } from "./testdata/open.ts";
for (const name of Deno.args[0].split(",")) for (let nth = 1; nth < 300; nth++) {
  const t0 = performance.now();
  const trial = new FaultTrial();
  const run = await withFault({ nth, errno: Number(Deno.args[1]) }, () => trial.run(open, operations[name]));
  const t1 = performance.now();
  let v = "";
  try { await trial.verify(run.error !== undefined); } catch (e) { v = String(e); }
  console.log(name, nth, run.hit, run.error && String(run.error), (t1 - t0).toFixed(1), (performance.now() - t1).toFixed(1), v);
  if (!run.hit) break;
}
