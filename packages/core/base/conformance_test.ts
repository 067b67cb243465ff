import { duplex } from "../duplex.ts";
import { checks } from "../testing/_checks.ts";
import { channelConformance } from "../testing/conformance.ts";
import { runCheck, testScale } from "../testing/_trial.ts";
import { memoryChannel } from "../testing/memory_channel.ts";

const OPTIONS = {
  capacity: 256 * 1024,
  maxQueuedBytes: 1024 * 1024,
  maxTestedSize: 64 * 1024,
};

/** Each channel that is opened has the next seed. */
function seeded(seed: number) {
  return () => memoryChannel({ seed: seed++, maxQueuedBytes: OPTIONS.maxQueuedBytes });
}

channelConformance("base", seeded(1), {
  ...OPTIONS,
  childScript: { module: new URL("../testing/memory_channel.ts", import.meta.url), export: "memoryChannel" },
});

channelConformance("base, both ways", () => {
  const there = memoryChannel({ maxQueuedBytes: OPTIONS.maxQueuedBytes });
  const back = memoryChannel({ maxQueuedBytes: OPTIONS.maxQueuedBytes });
  return {
    sender: duplex(back.receiver, there.sender),
    receiver: duplex(there.receiver, back.sender),
    truncate: there.truncate,
    truncateBack: back.truncate,
  };
}, { ...OPTIONS, duplex: true });

/** What costs a process or a thousand channels is tried once. */
const again = checks.filter((check) => check.applies?.(OPTIONS) !== false && check.promise !== 6);

for (let seed = 1; seed <= Math.ceil(10 * testScale()); seed++) {
  Deno.test(`base: every promise over the stream of seed ${seed}`, async (test) => {
    for (const check of again) {
      await test.step(`promise ${check.promise}: ${check.title}`, () =>
        runCheck(check, seeded(seed * 1000), { ...OPTIONS, seed, scale: 0.2 }));
    }
  });
}
