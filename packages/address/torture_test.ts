import { leakCheck, torture } from "@ipc/core/testing";
import { warmUpWaiting } from "../sysv/_waiting/mod.ts";
import * as met from "./testdata/torture.ts";

await warmUpWaiting();
leakCheck();

// A TLS connection has five seconds to close, which are still running when a test is over.
const { tls: _, ...others } = met;
for (const mechanism of Object.values(others)) torture(mechanism, { share: 0.05 });
