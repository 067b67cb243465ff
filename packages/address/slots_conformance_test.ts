import { channelConformance, leakCheck } from "@ipc/core/testing";
import { openMapped, openMemory, openSemaphores } from "./testdata/slots_pair.ts";
import { warmUpWaiting } from "../sysv/_waiting/mod.ts";

await warmUpWaiting();
leakCheck();

const module = new URL("./testdata/slots_pair.ts", import.meta.url);
const options = { truncatable: false, maxTestedSize: 4096 } as const;

channelConformance("shared memory and semaphores", openMemory, {
  ...options,
  capacity: 4096 * 1024,
  duplex: true,
  childScript: { module, export: "openMemory" },
});

channelConformance("semaphores alone", openSemaphores, {
  ...options,
  capacity: 16 * 2048,
  childScript: { module, export: "openSemaphores" },
});

channelConformance("a mapped file with POSIX semaphores in it", openMapped, {
  ...options,
  capacity: 4096 * 1024,
  duplex: true,
  childScript: { module, export: "openMapped" },
});
